"""Prints what SimpleITK's interpolators that weigh many voxels give on a small image: python3 weighted_interpolators.py > weighted_interpolators.txt"""

import numpy
import SimpleITK

z, y, x = numpy.mgrid[:6, :8, :9]
image = SimpleITK.GetImageFromArray(((z * 31 + y * 17 + x * 7) % 97 * 1.25).astype(numpy.float64))
image.SetSpacing((1.0, 1.0, 2.0))
print(f"# SimpleITK {SimpleITK.Version_VersionString()}")
for name in ("Gaussian", "LabelGaussian", "HammingWindowedSinc", "CosineWindowedSinc", "WelchWindowedSinc", "LanczosWindowedSinc", "BlackmanWindowedSinc"):
    resampler = SimpleITK.ResampleImageFilter()
    resampler.SetInterpolator(getattr(SimpleITK, f"sitk{name}"))
    resampler.SetSize((4, 3, 3))
    resampler.SetOutputSpacing((2.3, 2.5, 3.7))
    resampler.SetOutputOrigin((0.0, 0.4, 1.1))
    for kind, typed in (("f64", image), ("i16", SimpleITK.Cast(image, SimpleITK.sitkInt16))):
        values = SimpleITK.GetArrayFromImage(resampler.Execute(typed)).ravel().tolist()
        print(f"{name} {kind}:", *values)
