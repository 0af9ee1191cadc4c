#!/usr/bin/env python3
"""Makes `simpleitk.tfm` and `points.csv` with SimpleITK, and checks with it what this crate writes.

    pip install SimpleITK==2.5.7
    python read_by_simpleitk.py              # writes the two files beside this script, which the tests read
    python read_by_simpleitk.py MOTION.tfm FIXED MOVING REGISTERED JACOBIAN
                                             # compares files of `alnm register` with SimpleITK's own work

The second form takes a transform and the images of
`alnm register FIXED MOVING -o REGISTERED --write-transform MOTION.tfm --jacobian JACOBIAN` and prints the largest differences:
of the registered image from `sitk.Resample` with linear interpolation, and of the Jacobian determinant from
`sitk.DisplacementFieldJacobianDeterminant`, which takes differences of the field.
"""

import math
import sys
from pathlib import Path

import numpy as np
import SimpleITK as sitk


def transform():
    euler = sitk.Euler3DTransform((10.0, -5.0, 20.0), 0.05, -0.08, 0.12, (1.5, -2.5, 0.75))
    affine = sitk.AffineTransform(3)
    affine.SetMatrix([1.02, 0.01, 0.0, -0.03, 0.97, 0.02, 0.0, 0.01, 1.05])
    affine.SetTranslation((0.5, 0.25, -1.0))
    affine.SetCenter((3.0, 2.0, 1.0))
    versor = sitk.VersorRigid3DTransform()
    versor.SetRotation((0.6, 0.0, 0.8), 0.2)
    versor.SetCenter((4.0, 4.0, 4.0))
    versor.SetTranslation((0.0, 1.0, 0.0))
    spline = sitk.BSplineTransform(3, 3)
    spline.SetTransformDomainOrigin((-30.0, -25.0, -20.0))
    spline.SetTransformDomainPhysicalDimensions((60.0, 50.0, 44.0))
    spline.SetTransformDomainMeshSize((4, 3, 2))
    c, s = math.cos(0.3), math.sin(0.3)
    spline.SetTransformDomainDirection((c, -s, 0.0, s, c, 0.0, 0.0, 0.0, 1.0))
    count = len(spline.GetParameters())
    spline.SetParameters([2.0 * math.sin(1.7 * i) for i in range(count)])
    translation = sitk.TranslationTransform(3, (0.125, 0.5, -0.25))
    return sitk.CompositeTransform([euler, affine, versor, translation, spline])


def main():
    here = Path(__file__).parent
    if len(sys.argv) == 1:
        made = transform()
        sitk.WriteTransform(made, str(here / "simpleitk.tfm"))
        lines = ["x,y,z,to_x,to_y,to_z"]
        points = np.random.default_rng(1).uniform(-35, 45, (40, 3)).round(3)
        for point in points:
            moved = made.TransformPoint([float(x) for x in point])
            lines.append(",".join(repr(float(x)) for x in (*point, *moved)))
        (here / "points.csv").write_text("\n".join(lines) + "\n")
        return
    motion, fixed, moving, registered, jacobian = sys.argv[1:]
    motion = sitk.ReadTransform(motion)
    fixed, moving = sitk.ReadImage(fixed, sitk.sitkFloat64), sitk.ReadImage(moving)
    theirs = sitk.GetArrayFromImage(sitk.Resample(moving, fixed, motion, sitk.sitkLinear, 0.0)).astype(float)
    ours = sitk.GetArrayFromImage(sitk.ReadImage(registered)).astype(float)
    print("registered image, largest difference:", np.abs(theirs - ours).max())
    field = sitk.TransformToDisplacementField(motion, sitk.sitkVectorFloat64, fixed.GetSize(), fixed.GetOrigin(), fixed.GetSpacing(), fixed.GetDirection())
    theirs = sitk.GetArrayFromImage(sitk.DisplacementFieldJacobianDeterminant(field))
    ours = sitk.GetArrayFromImage(sitk.ReadImage(jacobian))
    inner = (slice(1, -1),) * 3
    print("Jacobian determinant, largest difference inside:", np.abs(theirs - ours)[inner].max())


if __name__ == "__main__":
    main()
