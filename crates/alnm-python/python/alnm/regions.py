"""Regions of an image: rings around them, shells inside them, connected parts, distances and habitats; and common
intensity scales for images of several scanners.

A region is made up of the voxels of a mask that have one label. Images and masks are :class:`alnm.Image` or images of
SimpleITK, and results are of the kind that was given.

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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alnm import _native
from alnm.image import Image, as_image, existing, like, of_native
from alnm.results import Columns, count, table

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
    """Report of one ring."""

    label: int
    """Label of the voxels of the ring."""
    start: float
    """Distance from the surface in mm at which the ring begins; minus infinity for the depth of the region."""
    end: float
    """Distance from the surface in mm at which the ring ends."""
    voxels: int
    """Number of voxels of the ring; it may be 0."""
    cut_voxels: int
    """Number of voxels at the distances of the ring that were left out because of ``within``, ``above`` or other
    labels."""


@dataclass(frozen=True)
class Rings:
    """Rings of a region."""

    mask: Any
    """The rings with the labels 1, 2 and so on, and 0 elsewhere, on the grid of the region."""
    rings: list[DrawnRing]
    """The report of each ring, in the order of the labels."""


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
    """Rings around a region and shells inside it, by the distance from its surface in mm: positive outside, negative
    inside. The distance of a voxel outside is that from its centre to the nearest centre of a voxel of the region; the
    distance of a voxel inside is that to the nearest centre of a voxel outside. What lies beyond the image counts as
    neither.

    :param mask: the mask with the region.
    :param limits: the distances at which each ring begins and ends: (0, 5) holds the voxels up to 5 mm away, (-2, 0)
        those up to 2 mm deep, and (-2, 5) both. A ring may begin at minus infinity, and no distance may lie in two
        rings.
    :param label: the label of the region.
    :param within: a mask, such as that of the breast; only voxels that are not 0 in it belong to rings.
    :param above: an image and a value; only voxels of the image with larger values belong to rings. It keeps rings in
        tissue and out of air.
    :param keep_other_labels_out: whether voxels with other labels of ``mask`` belong to no ring.
    :param threads: number of threads; see :mod:`alnm`.
    :raises AlnmError: for no ring, limits out of range, a label that does not occur, and grids that differ.
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
    """The limits of shells for :func:`rings`, from the surface of a region to its depth.

    :param width: thickness of each shell in mm.
    :param number: number of shells, 0 to 10000; the last one holds all that is deeper.
    :returns: the limits of each shell; the last one begins at minus infinity.

    >>> shells(2.0, 3)
    [(-2.0, 0.0), (-4.0, -2.0), (-inf, -4.0)]
    """
    return list(_native.shells(width, count(number, "number of shells", 10_000)))


@dataclass(frozen=True)
class Components:
    """The connected parts of a label."""

    map: Any
    """For each voxel the number of its part, from 1 for the largest; 0 elsewhere."""
    sizes: list[int]
    """Number of voxels of each part, the largest part first."""


def connected_components(mask: Any, *, label: int = 1, corners: bool = False) -> Components:
    """The connected parts of a label.

    :param mask: the mask.
    :param label: the label. Where it does not occur, there are no parts.
    :param corners: whether voxels that share only an edge or a corner are connected too, and not only those that share
        a face.
    """
    parts, sizes = _native.connected_components(as_image(mask, "mask"), label, corners)
    return Components(like(of_native(parts), mask), list(sizes))


@dataclass(frozen=True)
class CrossSection:
    """The slice along z on which a label has the most voxels."""

    slice: int
    """Index of the slice, counted from 0; the first of several equal ones."""
    voxels: int
    """Number of voxels with the label on the slice."""
    first: tuple[int, ...]
    """Index (x, y, z) of the first voxel of the smallest rectangle around these voxels."""
    size: tuple[int, ...]
    """Number of voxels of that rectangle along x, y and z."""


def largest_cross_section(mask: Any, *, label: int = 1) -> CrossSection:
    """The largest cross-section of a label on the slices along z.

    :raises AlnmError: for a label that does not occur in the mask.
    """
    place, voxels, first, size = _native.largest_cross_section(as_image(mask, "mask"), label)
    return CrossSection(place, voxels, tuple(first), tuple(size))


def signed_distance(mask: Any, *, label: int = 1, threads: int | None = None) -> Any:
    """The distance in mm of each voxel to the outermost voxels of a region, those with a voxel outside the region among
    their 26 neighbours: 0 at these, positive outside and negative inside (ITK's ``SignedMaurerDistanceMap``). For a
    region that fills the whole image all distances are infinite.

    :param mask: the mask with the region.
    :param label: the label of the region.
    :param threads: number of threads; see :mod:`alnm`.
    :raises AlnmError: for a label that does not occur in the mask.
    """
    return like(of_native(_native.signed_distance(as_image(mask, "mask"), label, threads)), mask)


@dataclass(frozen=True)
class CountScore:
    """The score of one number of habitats."""

    count: int
    """The number of habitats."""
    score: float
    """Its gap statistic, Bayesian information criterion (BIC) or mean silhouette."""
    error: float
    """Standard error of the gap statistic; 0 for other criteria."""


class Habitats:
    """Habitats: parts of lesions whose voxels are alike, by clustering of the values that maps have there.

    The clusters are learned on the voxels of training patients, after each map was standardised by its mean and
    standard deviation over them, and then applied to any patient. They are numbered from 1 by the value of one map at
    their centres, so that a habitat has the same number in every patient.

    :param count: number of habitats, 1 to 50; or a tuple of the smallest and the largest number, from which ``by``
        chooses. The smallest is at least 2, or 1 with the gap statistic.
    :param by: criterion by which the number is chosen: ``gap`` (gap statistic of Tibshirani et al. 2001, for k-means
        only), ``bic`` (lowest Bayesian information criterion, for a mixture only) or ``silhouette`` (highest mean
        silhouette). The default is ``gap`` for k-means and ``bic`` for a mixture. It has no effect on a given number.
    :param method: ``k_means``, or ``gaussian_mixture`` (a mixture of normal distributions).
    :param order_by: position of the map, counted from 0, by whose values at the centres habitats are numbered in
        ascending order.
    :param starts: number of starts of k-means (k-means++), of which the best is kept; 1 to 1000.
    :param max_iterations: largest number of iterations, at least 1.
    :param most_voxels: largest number of voxels that are learned from, at least 2; of more, voxels are taken at even
        distances.
    :param seed: seed of the random starts.
    :param threads: number of threads; see :mod:`alnm`.

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
        self._columns = Columns([], False)

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

    def fit(self, patients: Iterable[Any], names: Sequence[str] | None = None) -> Habitats:
        """Learn habitats on training patients.

        :param patients: for each patient a table with one row per voxel and one column per map, 1 to 64 maps. Columns
            with names are matched with those of the first table by name, others by position. Rows with a value that is
            not finite are left out.
        :param names: names of the columns, in their order in every table. By default they are those of the first table,
            which data frames and tables of Arrow have, or ``x0``, ``x1`` and so on.
        :returns: these habitats.
        :raises AlnmError: for parameters out of range, a map whose values do not vary, tables with different numbers of
            columns, and fewer finite voxels than habitats.
        """
        patients = list(patients)
        tables = [table(patient, names) for patient in patients[:1]]
        if tables and names is None:
            self._columns = tables[0].columns
            tables += [self._columns.of(patient) for patient in patients[1:]]
        else:
            self._columns = Columns(list(names or []), True)
            tables += [table(patient, names) for patient in patients[1:]]
        columns, values = self._columns.names, [each.values for each in tables]
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
        """The values of the maps at the centres of the habitats, an array (habitats, maps) in the units of the maps."""
        return self._model().centres()  # type: ignore[no-any-return]

    @property
    def scores_(self) -> list[CountScore]:
        """The score of each number of habitats that was considered; empty where the number was given."""
        return [CountScore(*score) for score in self._model().scores()]

    @property
    def learned_voxels_(self) -> int:
        """Number of voxels that were learned from."""
        return int(self._model().voxel_counts()[0])

    @property
    def left_out_voxels_(self) -> int:
        """Number of voxels that were left out because a value was not finite."""
        return int(self._model().voxel_counts()[1])

    def predict(self, voxels: Any) -> np.ndarray[Any, Any]:
        """The habitat of each voxel.

        :param voxels: a table with one row per voxel and the columns of the fit: by name where both have names,
            otherwise in the same order.
        :returns: the number of the habitat for each row, from 1; 0 where a value is not finite.
        :raises AlnmError: before :meth:`fit`, and for other columns than those of the fit.
        """
        model = self._model()
        return model.labels(self._columns.of(voxels).values, self.threads)  # type: ignore[no-any-return]

    def map(self, maps: Sequence[Any], mask: Any, *, label: int = 1) -> Any:
        """The habitats of a region, as a mask.

        :param maps: one image for each map, in the order of the columns of the fit, all on the grid of the mask.
        :param mask: the mask with the region.
        :param label: the label of the region.
        :returns: the number of the habitat in each voxel of the region, from 1; 0 outside the region and where a map is
            not finite.
        :raises AlnmError: before :meth:`fit`, for another number of maps, a label that does not occur, and grids that
            differ.
        """
        images = [as_image(each, "map") for each in maps]
        return like(of_native(self._model().map(images, as_image(mask, "mask"), label, self.threads)), mask)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save what was learned as JSON, which the command ``alnm regions`` reads too. An existing file is replaced.

        :raises AlnmError: before :meth:`fit`.
        """
        with open(path, "w", encoding="utf-8") as file:
            file.write(self._model().to_json())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Habitats:
        """Read habitats that were saved.

        Only what was learned is read. Of the parameters, ``count`` is the number of habitats and the others have their
        defaults, so that a further :meth:`fit` is made with those.

        :raises FileNotFoundError: where no such file exists.
        :raises AlnmError: for a file that holds no habitats.
        """
        with open(existing(path), encoding="utf-8") as file:
            fitted = _native.FittedHabitats.from_json(file.read())
        loaded = cls(len(fitted.centres()))
        loaded._fitted = fitted
        names = list(fitted.features())
        # A file does not say where its names come from.
        loaded._columns = Columns(names, names != [f"x{place}" for place in range(len(names))])
        return loaded


@dataclass(frozen=True)
class _Sample:
    image: Image
    mask: Image | None
    label: int


def _sample(image: Any, mask: Any, label: int) -> _Sample:
    return _Sample(as_image(image), None if mask is None else as_image(mask, "mask"), label)


class IntensityScale:
    """A common intensity scale for images of different scanners, learned on training images and applied to others.

    A scale is made by one of the class methods. The scale of an image is determined by the intensities in a region
    (breast, body or reference tissue), or in all voxels above 0 where no mask is given; the whole image is mapped.
    Histogram matching alone always uses the whole image. Voxels that are not finite determine nothing and stay as they
    are.

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
        """Piecewise linear mapping by landmarks (Nyúl, Udupa and Zhang, IEEE Trans. Med. Imaging 19:143, 2000):
        percentiles of the intensities, averaged over the training images.

        :param images: the training images, at least one.
        :param masks: one mask per image with the region that determines its landmarks; None for an image whose voxels
            above 0 do.
        :param label: the label of the region in the masks.
        :param percentiles: the percentiles that are landmarks, at least two, ascending from 0 to 100. The first and the
            last lie at the ends of the scale.
        :param scale: the two ends of the scale, ascending.
        :param threads: number of threads; see :mod:`alnm`.
        :raises AlnmError: for parameters out of range, a region without finite voxels, and an image whose first and
            last landmark are equal.
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
        """Histogram matching (ITK's ``HistogramMatching``) to the quantiles of the training images, averaged over them.

        :param images: the training images, at least one.
        :param levels: number of bins of the histogram, 2 to 1048576.
        :param match_points: number of quantiles that are matched, 1 to 1000. ITK's own default is 1.
        :param threshold_at_mean: whether voxels below the mean of an image count as background.
        :param threads: number of threads; see :mod:`alnm`.
        :raises AlnmError: for parameters out of range, and an image without finite voxels or with one value only.
        """
        params = {"levels": levels, "match_points": match_points, "threshold_at_mean": threshold_at_mean}
        return cls._learned("histogram_matching", images, None, 1, params, threads)

    @classmethod
    def white_stripe(cls, *, mode: str = "last", width: float = 0.05) -> IntensityScale:
        """White stripe (Shinohara et al., NeuroImage Clin. 6:9, 2014): each image is mapped so that its intensities in
        a stripe around a mode of their distribution have mean 0 and standard deviation 1. Nothing is learned.

        :param mode: ``last`` (the brightest mode), ``largest`` (the highest) or ``first`` (the darkest).
        :param width: share of the intensities on each side of the mode that belong to the stripe, above 0 and at most
            0.5.
        :raises AlnmError: for parameters out of range.
        """
        return cls._learned("white_stripe", [], None, 1, {"mode": mode, "width": width}, None)

    @classmethod
    def site(
        cls, images: Sequence[Any], masks: Sequence[Any] | None = None, *, label: int = 1, threads: int | None = None
    ) -> IntensityScale:
        """The mean and standard deviation of the images of a site, to which other images are mapped.

        :param images: the training images, at least one. Their means and standard deviations are averaged.
        :param masks: as in :meth:`nyul`.
        :param label: the label of the region in the masks.
        :param threads: number of threads; see :mod:`alnm`.
        :raises AlnmError: for no image, and a region without finite voxels or with one value only.
        """
        return cls._learned("site", images, masks, label, {}, threads)

    @classmethod
    def z_score(cls) -> IntensityScale:
        """z-scores: each image is mapped so that its intensities have mean 0 and standard deviation 1. Nothing is
        learned."""
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
        """Map an image to the common scale.

        :param image: the image.
        :param mask: a mask on the same grid with the region that determines the scale of the image; without it the
            voxels above 0 do. A scale from :meth:`histogram_matching` takes no mask.
        :param label: the label of the region in the mask.
        :param threads: number of threads; see :mod:`alnm`.
        :returns: the image in single precision.
        :raises AlnmError: for a label that does not occur, a grid that differs, and intensities that are none or do not
            vary.
        """
        return like(of_native(self._native.apply(_sample(image, mask, label), threads)), image)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save the scale as JSON, which the command ``alnm standardise`` reads too. An existing file is replaced."""
        with open(path, "w", encoding="utf-8") as file:
            file.write(self._native.to_json())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> IntensityScale:
        """Read a scale that was saved.

        :raises FileNotFoundError: where no such file exists.
        :raises AlnmError: for a file that holds no scale.
        """
        with open(existing(path), encoding="utf-8") as file:
            return cls(_native.FittedScale.from_json(file.read()))
