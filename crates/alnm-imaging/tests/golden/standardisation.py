"""Standardised intensities by intensity-normalization and SimpleITK: python3 standardisation.py > standardisation.txt

The images are those of the function `image` in tests/standardisation.rs. Of each result every 29th voxel is printed.
"""

import importlib.metadata

import numpy as np
import SimpleITK as sitk
from intensity_normalization.domain.models import Modality
from intensity_normalization.normalizers.individual.whitestripe import WhiteStripeNormalizer
from intensity_normalization.normalizers.population.nyul import NyulNormalizer

print(f"# intensity-normalization {importlib.metadata.version('intensity-normalization')}, SimpleITK {sitk.Version_VersionString()}")


class Image:
    def __init__(self, data):
        self.data = data

    def get_data(self):
        return self.data

    def with_data(self, data):
        return Image(data)


def image(number):
    z, y, x = np.mgrid[:7, :11, :13]
    texture = (x * 31 + y * 17 + z * 43 + number * 5) % 97
    tissue = np.where((x + y) % 4 < 2, 300.0, 700.0) * (1.0 + 0.25 * number)
    air = (x < 3) & (y < 4)
    return np.where(air, -3.0, tissue + texture * (1.5 + 0.5 * number) + 0.125 * ((x * y * (z + 1)) % 7))


def line(name, values):
    print(name, "|", " ".join(repr(float(value)) for value in np.ravel(values)))


images = [Image(image(number)) for number in range(4)]
mask = Image((np.mgrid[:7, :11, :13].sum(axis=0) % 3 > 0).astype(float))
for name, masks in (("nyul", None), ("nyul region", [mask] * 3)):
    nyul = NyulNormalizer().fit_population(images[:3], masks)
    line(f"{name} scale", nyul.standard_scale)
    line(f"{name} applied", nyul.transform(images[3], masks and mask).get_data().ravel()[::29])
for name, modality in (("last", Modality.T1), ("largest", Modality.T2), ("first", Modality.PD)):
    stripe = WhiteStripeNormalizer(modality=modality).fit(images[1])
    line(f"stripe {name}", [stripe.mean, stripe.std, stripe.whitestripe_mask.sum()])
    line(f"stripe {name} applied", stripe.transform(images[1]).get_data().ravel()[::29])
for levels, points, at_mean in ((256, 7, True), (64, 1, True), (128, 10, False)):
    source, reference = (sitk.GetImageFromArray(images[i].get_data().astype(np.float32)) for i in (0, 3))
    matched = sitk.HistogramMatching(source, reference, levels, points, at_mean)
    line(f"matched {levels} {points} {int(at_mean)}", sitk.GetArrayFromImage(matched).ravel()[::29])
