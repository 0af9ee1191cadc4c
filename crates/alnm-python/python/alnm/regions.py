"""Regions of an image: rings around them, shells and parts of them, distances, habitats; intensities on a common scale.

>>> import numpy as np
>>> from alnm import Image, regions
>>> lesion = np.zeros((1, 1, 9), np.uint8)
>>> lesion[..., 3:6] = 1
>>> mask = Image(lesion, spacing=(1.5, 1.0, 1.0))
>>> regions.rings(mask, [(-2.0, 0.0), (0.0, 2.0), (2.0, 10.0)]).mask.array.ravel().tolist()
[3, 3, 2, 1, 0, 1, 2, 3, 3]
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alnm import _native
from alnm.image import Image, as_image, existing, like, of_native
from alnm.results import count, table

__all__ = [
    "Components",
    "CountScore",
    "CrossSection",
    "DrawnRing",
    "Habitats",
    "IntensityScale",
    "Rings",
    "connected_components",
    "largest_cross_section",
    "rings",
    "shells",
    "signed_distance",
]


@dataclass(frozen=True)
class DrawnRing:
    """What became of a ring."""

    label: int
    start: float
    """Where the ring begins, in mm from the surface."""
    end: float
    voxels: int
    cut_voxels: int
    """Voxels at its distances that the limits, or other labels, took away."""


@dataclass(frozen=True)
class Rings:
    """Rings of a region, with the labels 1, 2 and so on."""

    mask: Any
    rings: list[DrawnRing]


@dataclass(frozen=True)
class _RingRequest:
    rings: list[tuple[float, float]]
    keep_other_labels_out: bool
    within: Image | None
    above_image: Image | None
    above_value: float


def rings(
    mask: Any,
    limits: Sequence[Sequence[float]],
    *,
    label: int = 1,
    within: Any = None,
    above: tuple[Any, float] | None = None,
    keep_other_labels_out: bool = True,
    threads: int | None = None,
) -> Rings:
    """Rings around a region and shells in it, by distance in mm: positive outwards from its surface, negative inwards.

    :param limits: where each ring begins and ends: (0, 5) has the voxels up to 5 mm away, (-2, 0) those up to 2 mm
        deep, (-2, 5) both.
    :param within: a mask that rings do not leave, such as the breast.
    :param above: an image and a value that voxels of rings exceed, as tissue does air.
    :param keep_other_labels_out: voxels of other labels belong to no ring.
    """
    given = [(float(start), float(end)) for start, end in limits]
    image, value = (None, 0.0) if above is None else (as_image(above[0]), float(above[1]))
    inside = None if within is None else as_image(within, "mask")
    request = _RingRequest(given, keep_other_labels_out, inside, image, value)
    drawn, fields = _native.rings(as_image(mask, "mask"), label, request, threads)
    found = [
        DrawnRing(each["label"], each["ring"]["from"], each["ring"]["to"], each["voxels"], each["cut_voxels"])
        for each in fields
    ]
    return Rings(like(of_native(drawn), mask), found)


def shells(width: float, number: int) -> list[tuple[float, float]]:
    """Shells of a region for :func:`rings`, from its surface to its depth: each ``width`` mm thick, and the last with
    all that is deeper."""
    return list(_native.shells(width, count(number, "number of shells", 10_000)))


@dataclass(frozen=True)
class Components:
    """The connected parts of a label."""

    map: Any
    """The number of each voxel's part, from 1 for the largest."""
    sizes: list[int]
    """Voxels of each part, largest first."""


def connected_components(mask: Any, *, label: int = 1, corners: bool = False) -> Components:
    """The connected parts of a label.

    :param corners: voxels that share an edge or a corner are connected too, and not only those that share a face.
    """
    parts, sizes = _native.connected_components(as_image(mask, "mask"), label, corners)
    return Components(like(of_native(parts), mask), list(sizes))


@dataclass(frozen=True)
class CrossSection:
    """The axial slice on which a label has most voxels."""

    slice: int
    voxels: int
    first: tuple[int, ...]
    """First voxel (x, y, z) of the smallest rectangle around them."""
    size: tuple[int, ...]
    """Voxels of that rectangle along x, y and z."""


def largest_cross_section(mask: Any, *, label: int = 1) -> CrossSection:
    """The largest axial cross-section of a label."""
    place, voxels, first, size = _native.largest_cross_section(as_image(mask, "mask"), label)
    return CrossSection(place, voxels, tuple(first), tuple(size))


def signed_distance(mask: Any, *, label: int = 1, threads: int | None = None) -> Any:
    """The distance of each voxel to the outermost voxels of a region in mm, negative inside (ITK's
    ``SignedMaurerDistanceMap``)."""
    return like(of_native(_native.signed_distance(as_image(mask, "mask"), label, threads)), mask)


@dataclass(frozen=True)
class CountScore:
    """How a number of habitats was judged."""

    count: int
    score: float
    """Its gap, BIC or mean silhouette."""
    error: float
    """Standard error of the gap; 0 for other criteria."""


class Habitats:
    """Habitats: voxels of lesions clustered by the values of maps, learned on training patients.

    :param count: number of habitats, or the smallest and the largest from which ``by`` chooses.
    :param by: ``gap`` or ``silhouette`` for k-means, ``bic`` or ``silhouette`` for a mixture.
    :param method: ``k_means`` or ``gaussian_mixture``.
    :param order_by: feature by whose value habitats are numbered, from 0.
    :param starts: starts of k-means, of which the best is taken.
    :param max_iterations: most iterations.
    :param most_voxels: voxels that are learned from, taken evenly where there are more.
    :param seed: seed of the starts.

    >>> patient = [[0.1, 5.0], [0.2, 5.1], [2.0, 1.0], [2.1, 1.2]]
    >>> Habitats(2).fit([patient]).predict(patient).tolist()
    [1, 1, 2, 2]
    """

    def __init__(
        self,
        count: int | tuple[int, int] = 3,
        *,
        by: str | None = None,
        method: str = "k_means",
        order_by: int = 0,
        starts: int = 10,
        max_iterations: int = 300,
        most_voxels: int = 100_000,
        seed: int = 0,
        threads: int | None = None,
    ) -> None:
        self.count = count
        self.by = by
        self.method = method
        self.order_by = order_by
        self.starts = starts
        self.max_iterations = max_iterations
        self.most_voxels = most_voxels
        self.seed = seed
        self.threads = threads
        self._fitted: Any = None

    def _params(self) -> dict[str, Any]:
        if isinstance(self.count, tuple):
            fewest, most = self.count
            by = self.by or ("gap" if self.method == "k_means" else "bic")
            number: Any = {"best": {"fewest": fewest, "most": most, "by": by}}
        else:
            number = {"fixed": self.count}
        return {
            "method": self.method, "count": number, "order_by": self.order_by, "starts": self.starts,
            "max_iterations": self.max_iterations, "most_voxels": self.most_voxels, "seed": self.seed,
        }  # fmt: skip

    def fit(self, patients: Sequence[Any], names: Sequence[str] | None = None) -> Habitats:
        """Learn habitats.

        :param patients: for each patient a table with a row for each voxel and a column for each map; data frames and
            tables of Arrow bring the names of their columns.
        :param names: the names of the columns.
        """
        tables = [table(patient, names) for patient in patients]
        columns = list(names or (tables[0].names if tables else []))
        values = [np.ascontiguousarray(each.values) for each in tables]
        self._fitted = _native.FittedHabitats.learn(columns, values, self._params(), self.threads)
        return self

    def _model(self) -> Any:
        if self._fitted is None:
            raise _native.AlnmError("these Habitats are not fitted; call fit first")
        return self._fitted

    @property
    def features_(self) -> list[str]:
        """The names of the maps."""
        return list(self._model().features())

    @property
    def centres_(self) -> np.ndarray[Any, Any]:
        """The values of the maps at the centre of each habitat, one row for each."""
        return self._model().centres()  # type: ignore[no-any-return]

    @property
    def scores_(self) -> list[CountScore]:
        """How the numbers of habitats were judged; empty where the number was given."""
        return [CountScore(*score) for score in self._model().scores()]

    @property
    def learned_voxels_(self) -> int:
        """Voxels that were learned from."""
        return int(self._model().voxel_counts()[0])

    @property
    def left_out_voxels_(self) -> int:
        """Voxels that were left out because a value was not finite."""
        return int(self._model().voxel_counts()[1])

    def predict(self, voxels: Any) -> np.ndarray[Any, Any]:
        """The habitat of each row, from 1; 0 where a value is not finite."""
        values = np.ascontiguousarray(table(voxels).values)
        return self._model().labels(values, self.threads)  # type: ignore[no-any-return]

    def map(self, maps: Sequence[Any], mask: Any, *, label: int = 1) -> Any:
        """The habitats of a region on its grid; 0 outside of it and where a map is not finite.

        :param maps: an image for each map that was learned, in their order.
        """
        images = [as_image(each, "map") for each in maps]
        return like(of_native(self._model().map(images, as_image(mask, "mask"), label, self.threads)), mask)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save what was learned as JSON, which the command ``alnm regions`` reads too."""
        with open(path, "w", encoding="utf-8") as file:
            file.write(self._model().to_json())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Habitats:
        """Habitats that were saved.

        :raises AlnmError: for a file that holds none.
        """
        with open(existing(path), encoding="utf-8") as file:
            fitted = _native.FittedHabitats.from_json(file.read())
        loaded = cls(len(fitted.centres()))
        loaded._fitted = fitted
        return loaded


@dataclass(frozen=True)
class _Sample:
    image: Image
    mask: Image | None
    label: int


def _sample(image: Any, mask: Any, label: int) -> _Sample:
    return _Sample(as_image(image), None if mask is None else as_image(mask, "mask"), label)


class IntensityScale:
    """One scale of intensities for images of different scanners, learned on some images and applied to others.

    What decides the scale of an image is its region (breast, body, reference tissue), or where none is given all voxels
    above 0; the whole image is mapped.

    >>> image = Image(np.arange(1.0, 201.0).reshape(2, 10, 10), spacing=(1.0, 1.0, 1.0))
    >>> scaled = IntensityScale.nyul([image]).apply(image).array
    >>> round(float(np.percentile(scaled, 99)), 3)
    100.0
    """

    def __init__(self, native: Any) -> None:
        self._native = native

    @classmethod
    def nyul(
        cls,
        images: Sequence[Any],
        masks: Sequence[Any] | None = None,
        *,
        label: int = 1,
        percentiles: Sequence[float] = (1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 99),
        scale: tuple[float, float] = (1.0, 100.0),
        threads: int | None = None,
    ) -> IntensityScale:
        """Landmarks of Nyúl, Udupa and Zhang (2000): percentiles, averaged over the training images.

        :param percentiles: the landmarks, ascending; the first and the last span the scale.
        :param scale: where these two lie.
        """
        params = {"percentiles": [float(each) for each in percentiles], "scale": [float(each) for each in scale]}
        return cls._learned("nyul", images, masks, label, params, threads)

    @classmethod
    def histogram_matching(
        cls,
        images: Sequence[Any],
        *,
        levels: int = 256,
        match_points: int = 7,
        threshold_at_mean: bool = True,
        threads: int | None = None,
    ) -> IntensityScale:
        """Quantiles of training images, averaged, to which others are matched (ITK's ``HistogramMatching``).

        :param levels: bins of the histogram.
        :param match_points: quantiles that are matched.
        :param threshold_at_mean: voxels below the mean are background.
        """
        params = {"levels": levels, "match_points": match_points, "threshold_at_mean": threshold_at_mean}
        return cls._learned("histogram_matching", images, None, 1, params, threads)

    @classmethod
    def white_stripe(cls, *, mode: str = "last", width: float = 0.05) -> IntensityScale:
        """A stripe around a mode of each image gets the mean 0 and the standard deviation 1 (Shinohara et al. 2014).

        :param mode: ``last`` (the brightest), ``largest`` or ``first`` (the darkest).
        :param width: share of the intensities on each side of the mode.
        """
        return cls._learned("white_stripe", [], None, 1, {"mode": mode, "width": width}, None)

    @classmethod
    def site(
        cls, images: Sequence[Any], masks: Sequence[Any] | None = None, *, label: int = 1, threads: int | None = None
    ) -> IntensityScale:
        """The mean and the standard deviation of the images of a site."""
        return cls._learned("site", images, masks, label, {}, threads)

    @classmethod
    def z_score(cls) -> IntensityScale:
        """Mean 0 and standard deviation 1."""
        return cls(_native.FittedScale.z_score())

    @classmethod
    def _learned(
        cls,
        method: str,
        images: Sequence[Any],
        masks: Sequence[Any] | None,
        label: int,
        params: dict[str, Any],
        threads: int | None,
    ) -> IntensityScale:
        given = [None] * len(images) if masks is None else list(masks)
        if len(given) != len(images):
            raise _native.AlnmError(f"there are {len(given)} masks; there must be one for each of {len(images)} images")
        samples = [_sample(image, mask, label) for image, mask in zip(images, given)]
        return cls(_native.FittedScale.learn(method, samples, params, threads))

    def apply(self, image: Any, mask: Any = None, *, label: int = 1, threads: int | None = None) -> Any:
        """An image on the common scale, in single precision.

        :raises AlnmError: where the intensities that decide the scale are none, or do not vary.
        """
        return like(of_native(self._native.apply(_sample(image, mask, label), threads)), image)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save the scale as JSON, which the command ``alnm standardise`` reads too."""
        with open(path, "w", encoding="utf-8") as file:
            file.write(self._native.to_json())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> IntensityScale:
        """A scale that was saved.

        :raises AlnmError: for a file that holds none.
        """
        with open(existing(path), encoding="utf-8") as file:
            return cls(_native.FittedScale.from_json(file.read()))
