"""Prints how far two outlines agree after SimpleITK and DeepMind's surface-distance: python3 agreement.py > agreement.txt

    python3 -m venv venv && venv/bin/pip install SimpleITK==2.5.7 surface-distance==0.1 scipy==1.17.1

Every line is a case, a measure and its values. The outlines are made of whole numbers (`outline`), so that the test makes the
same. SimpleITK's maps of signed distances are in single precision; the surface distances of its tutorial are computed from
the same surfaces in double precision here, after both were found to agree."""
import itertools

import numpy
import scipy.ndimage
import SimpleITK
import surface_distance

# Name, size, spacing, tolerance.
CASES = [
    ("isotropic", (22, 20, 18), (1.0, 1.0, 1.0), 1.0),
    ("breast", (25, 23, 9), (0.7, 0.75, 2.5), 0.8),
    ("touching", (9, 8, 7), (1.5, 0.5, 3.0), 2.0),
    ("plane", (24, 21, 1), (0.6, 0.9, 5.0), 1.0),
]


def outline(size, shift):
    """Two ellipsoids with the labels 1 and 2, roughened by a residue, `shift` voxels along the first axis."""
    z, y, x = numpy.indices(size[::-1])
    u, v, w = (2 * x - size[0] - 2 * shift, 2 * y - size[1] + shift, 2 * z - size[2] + 1)
    rough = (3 * x + 5 * y + 7 * z + x * y) % 11
    first = 9 * u * u + 12 * v * v + 20 * w * w + 40 * rough < 1300 + 60 * shift
    second = (u - 14) ** 2 + (v + 9) ** 2 + 2 * w * w + 2 * rough < 70
    labels = numpy.where(first, 1, numpy.where(second, 2, 0)).astype(numpy.uint8)
    return labels


def image(labels, spacing):
    result = SimpleITK.GetImageFromArray(labels)
    result.SetSpacing(spacing)
    return result


def surface_distances(a, b, spacing, is_plane):
    """Distances of both surfaces as SimpleITK's tutorial pools them, in double precision."""
    pooled = []
    images = [image(mask.astype(numpy.uint8), spacing) for mask in (a, b)]
    for (own, there) in ((0, 1), (1, 0)):
        single = SimpleITK.GetArrayFromImage(
            SimpleITK.Abs(SimpleITK.SignedMaurerDistanceMap(images[there], squaredDistance=False, useImageSpacing=True))
        )
        inside = (a, b)[there]
        full = numpy.ones((1, 3, 3) if is_plane else (3, 3, 3), bool)
        rim = inside & ~scipy.ndimage.binary_erosion(inside, full, border_value=1)
        double = scipy.ndimage.distance_transform_edt(~rim, sampling=spacing[::-1])
        assert numpy.abs(single - double).max() < 1e-5
        contour = SimpleITK.GetArrayFromImage(SimpleITK.LabelContour(images[own])) > 0
        pooled.append(double[contour])
    return numpy.concatenate(pooled)


def compare(name, reference, other, spacing, tolerance, whole):
    a, b = image(reference.astype(numpy.uint8), spacing), image(other.astype(numpy.uint8), spacing)
    overlap = SimpleITK.LabelOverlapMeasuresImageFilter()
    overlap.Execute(b, a)
    print(name, "overlap", overlap.GetDiceCoefficient(1), overlap.GetJaccardCoefficient(1), overlap.GetVolumeSimilarity(1),
          overlap.GetFalseNegativeError(1), overlap.GetFalseDiscoveryRate(1))
    n = whole
    both, first, second = (reference & other).sum(), reference.sum(), other.sum()
    agreeing = (n - first - second + 2 * both) / n
    chance = (first * second + (n - first) * (n - second)) / n**2
    print(name, "kappa", (agreeing - chance) / (1 - chance))
    if not (reference.any() and other.any()):
        return
    hausdorff = SimpleITK.HausdorffDistanceImageFilter()
    hausdorff.Execute(a, b)
    pooled = surface_distances(reference, other, spacing, reference.shape[0] == 1)
    print(name, "voxels", hausdorff.GetHausdorffDistance(), hausdorff.GetAverageHausdorffDistance(), pooled.mean(),
          numpy.median(pooled), pooled.std(), numpy.percentile(pooled, 95), pooled.max())
    arrays, steps = (reference, other), spacing[::-1]
    if reference.shape[0] == 1:
        arrays, steps = (reference[0], other[0]), spacing[1::-1]
    found = surface_distance.compute_surface_distances(*arrays, steps)
    print(name, "surfels", surface_distance.compute_robust_hausdorff(found, 100),
          surface_distance.compute_robust_hausdorff(found, 95), *surface_distance.compute_average_surface_distance(found),
          surface_distance.compute_surface_dice_at_tolerance(found, tolerance),
          *surface_distance.compute_surface_overlap_at_tolerance(found, tolerance),
          found["surfel_areas_gt"].sum(), found["surfel_areas_pred"].sum())


def staple(name, raters, spacing, confidence):
    tool = SimpleITK.STAPLEImageFilter()
    tool.SetConfidenceWeight(confidence)
    tool.SetForegroundValue(1)
    found = SimpleITK.GetArrayFromImage(tool.Execute([image(rater, spacing) for rater in raters]))
    print(name, "staple", tool.GetElapsedIterations(), *tool.GetSensitivity(), *tool.GetSpecificity())
    middle = found[found.shape[0] // 2, found.shape[1] // 2]
    print(name, "probabilities", found.sum(), *middle)
    votes = SimpleITK.GetArrayFromImage(SimpleITK.LabelVoting([image(rater, spacing) for rater in raters], 9))
    print(name, "votes", *((votes == label).sum() for label in (0, 1, 2, 9)))


numpy.set_printoptions(legacy="1.25")
print("# SimpleITK", SimpleITK.Version_VersionString(), "surface-distance 0.1 scipy", scipy.__version__)
for name, size, spacing, tolerance in CASES:
    reference, other = outline(size, 0), outline(size, 2)
    for label in (1, 2):
        regions = reference == label, other == label
        compare(f"{name} {label}", *regions, spacing, tolerance, reference.size)
        if name == "breast":
            for z in (3, 4):
                compare(f"{name} {label} {z}", *(region[z : z + 1] for region in regions), spacing, tolerance,
                        reference[0].size)
    for confidence in (1.0, 0.4):
        staple(f"{name} {confidence}", [outline(size, shift) for shift in (0, 1, 2, 4)], spacing, confidence)
