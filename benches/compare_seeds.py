#!/usr/bin/env python3
"""Two seeds 5 mm apart: how many of the 926 features agree between the outlines that grow from them, beside Convert3D's.

    python3 -m venv venv && venv/bin/pip install picsl_c3d==1.4.6 SimpleITK==2.5.7 numpy
    cargo build --release --bin alnm
    venv/bin/python benches/compare_seeds.py --alnm target/release/alnm --lesions 20

The lesions are those of compare_segmentation.py in its small images, with a texture inside. The first seed lies in the middle of a
lesion, the second 5 mm away in a direction that is drawn. Both grow by ITK-SNAP's smooth threshold and region competition, once by
`alnm segment` and once by Convert3D from the same speed, bubbles, weights and iterations. Features are extracted by
`alnm extract --reliability` with the study's parameters. What is printed, for each tool and number of iterations:

    agree    features with an ICC(2,1) above 0.75, of all 926
    dice     of the two outlines, median and smallest over the lesions; where a contour stayed small, the features agree poorly
             for that alone, so that the share is also told of the lesions whose outlines have a Dice coefficient of 0.5 and more
    same     lesions whose two outlines are equal voxel by voxel, and whose outlines by both tools are
"""

import argparse
import csv
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

APART, RADIUS, LOWER, CURVATURE = 5.0, 2.5, 210.0, 0.2
PARAMETERS = Path(__file__).parent.parent / "crates/alnm-study/params_926.yaml"


def prepared(folder, number):
    """The image of a lesion and its two seeds in mm."""
    import numpy
    import SimpleITK as sitk
    from compare_segmentation import lesion

    values, spacing, middle, _ = lesion(3 * number)
    generator = numpy.random.default_rng(55_000 + number)
    z, y, x = numpy.meshgrid(*[numpy.arange(n) for n in values.shape], indexing="ij", sparse=True)
    waves = [numpy.sin(f * x * spacing[0] + p) * numpy.cos(f * y * spacing[1] - p) * numpy.cos(f * z * spacing[2] / 2)
             for f, p in generator.uniform(0.3, 1.5, (3, 2))]
    values = values + generator.uniform(5, 30) * sum(waves) * (values > LOWER)
    image = sitk.GetImageFromArray(values.astype(numpy.float32))
    image.SetSpacing(spacing)
    sitk.WriteImage(image, f"{folder}/image{number}.nrrd")
    first = numpy.array([index * step for index, step in zip(middle, spacing)])
    direction = generator.normal(size=3)
    second = first + APART * direction / numpy.linalg.norm(direction)
    return [first, second]


def ours(alnm, folder, number, reader, seed, iterations):
    point = ",".join(f"{x:.6f}" for x in seed)
    out = f"{folder}/alnm{number}_{reader}.nrrd"
    subprocess.run([alnm, "segment", f"{folder}/image{number}.nrrd", "-o", out, "--seed", point, "--radius", str(RADIUS),
                    "--lower", str(LOWER), "--curvature", str(CURVATURE), "--iterations", str(iterations), "--settle", "1e-4", "--quiet", "--force",
                    "--speed-out", f"{folder}/speed.nrrd"], check=True)


def convert3d(folder, number, reader, seed, iterations):
    import numpy
    import SimpleITK as sitk
    from picsl_c3d import Convert3D

    speed = sitk.ReadImage(f"{folder}/speed.nrrd", sitk.sitkFloat64)
    spacing, size = speed.GetSpacing(), speed.GetSize()
    z, y, x = numpy.ogrid[tuple(slice(0, n) for n in size[::-1])]
    squared = sum((i * s - c) ** 2 for i, s, c in zip((x, y, z), spacing, seed))
    start = sitk.GetImageFromArray(numpy.where(squared <= RADIUS**2, -1.0, 1.0))
    start.CopyInformation(speed)
    tool = Convert3D()
    tool.push(speed)
    tool.push(start)
    tool.execute(f"-levelset-curvature {CURVATURE} -levelset {iterations}")
    found = sitk.Cast(tool.pop() <= 0, sitk.sitkUInt8)
    sitk.WriteImage(found, f"{folder}/c3d{number}_{reader}.nrrd")


def overlap(first, second):
    both = (first & second).sum()
    return 2 * both / (first.sum() + second.sum())


def agreement(alnm, folder, tool, numbers, threads):
    table = f"{folder}/{tool}.csv"
    with open(table, "w") as out:
        print("Image,Mask,Mask2", file=out)
        for number in numbers:
            print(f"image{number}.nrrd,{tool}{number}_1.nrrd,{tool}{number}_2.nrrd", file=out)
    reliability = f"{folder}/{tool}_reliability.csv"
    subprocess.run([alnm, "extract", table, "-p", str(PARAMETERS), "-f", "csv", "-o", f"{folder}/{tool}_features.csv",
                    "--reader-masks", "Mask2", "--reliability", reliability, "--force", "-j", threads, "--quiet"], check=True)
    with open(reliability) as read:
        rows = list(csv.DictReader(read))
    return sum(row["reliable"] == "yes" for row in rows), len(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--alnm", default="target/release/alnm")
    parser.add_argument("--lesions", type=int, default=20)
    parser.add_argument("--iterations", type=int, nargs="+", default=[50, 100, 200])
    parser.add_argument("--threads", default="2")
    arguments = parser.parse_args()
    import SimpleITK as sitk

    alnm = str(Path(arguments.alnm).resolve())
    with tempfile.TemporaryDirectory() as folder:
        seeds = [prepared(folder, number) for number in range(arguments.lesions)]
        for iterations in arguments.iterations:
            for number, pair in enumerate(seeds):
                for reader, seed in enumerate(pair, 1):
                    ours(alnm, folder, number, reader, seed, iterations)
                    convert3d(folder, number, reader, seed, iterations)

            def read(tool, number, reader):
                return sitk.GetArrayFromImage(sitk.ReadImage(f"{folder}/{tool}{number}_{reader}.nrrd")) > 0

            numbers = range(arguments.lesions)
            across = sum((read("alnm", n, r) == read("c3d", n, r)).all() for n in numbers for r in [1, 2])
            for tool, name in [("alnm", "alnm segment"), ("c3d", "Convert3D")]:
                pairs = [(read(tool, number, 1), read(tool, number, 2)) for number in numbers]
                dice = [overlap(*pair) for pair in pairs]
                same = sum((first == second).all() for first, second in pairs)
                agree, count = agreement(alnm, folder, tool, numbers, arguments.threads)
                print(f"{name}, {iterations} iterations: {agree} of {count} features agree ({100 * agree / count:.1f} %); "
                      f"dice {statistics.median(dice):.4f}, smallest {min(dice):.4f}; same {same} of {len(dice)}")
                alike = [number for number in numbers if dice[number] >= 0.5]
                if 1 < len(alike) < len(dice):
                    agree, count = agreement(alnm, folder, tool, alike, arguments.threads)
                    print(f"  of the {len(alike)} with a Dice coefficient of 0.5 and more: {agree} of {count} ({100 * agree / count:.1f} %)")
            print(f"  outlines equal to Convert3D's voxel by voxel: {across} of {2 * arguments.lesions}", flush=True)


if __name__ == "__main__":
    main()
