"""Writes pyradiomics-3.0.1.csv. Made with PyRadiomics 3.0.1, SimpleITK 2.5.7, numpy 1.26.4, PyWavelets 1.9.0, Python 3.11.7."""
import numpy as np
import SimpleITK as sitk
from radiomics import featureextractor

z, y, x = np.mgrid[0:9, 0:11, 0:13]
image = sitk.GetImageFromArray(((z * z * 31 + y * x * 17 + x * x * 7 + z * x * 3) % 211).astype(np.int16))
mask = sitk.GetImageFromArray((((z - 4) ** 2 * 3 + (y - 5) ** 2 + (x - 6) ** 2) <= 20).astype(np.uint8))
for volume in image, mask:
    volume.SetSpacing((0.8, 1.1, 2.5))
filters = {"LoG": {"sigma": [2.0]}, "Wavelet": {"wavelet": "coif1"}, "Gradient": {}}
filters |= {"Square": {}, "SquareRoot": {}, "Logarithm": {}, "Exponential": {}}
classes = ["shape", "firstorder", "glcm", "gldm", "glrlm", "glszm", "ngtdm"]
runs = [
    {"setting": {"binWidth": 20}, "imageType": {"Original": {}}, "featureClass": {name: [] for name in classes}},
    {"setting": {"binWidth": 20}, "imageType": filters, "featureClass": {"firstorder": ["Mean", "Entropy"], "glcm": ["Contrast", "Idn"]}},
]
with open("pyradiomics-3.0.1.csv", "w") as table:
    for run in runs:
        for name, value in featureextractor.RadiomicsFeatureExtractor(run).execute(image, mask).items():
            if not name.startswith("diagnostics"):
                table.write(f"{name},{float(value)!r}\n")
