#!/usr/bin/env python3
"""Registers simulated dynamic series, whose motion is known, with elastix, greedy and alnm in turn.

    python3 -m venv venv && venv/bin/pip install itk-elastix==0.25.4 picsl_greedy==1.4.0 SimpleITK==2.5.7 numpy
    cargo build --release -p alnm-benches --bin repeat_registration
    venv/bin/python benches/compare_registration.py --program target/release/repeat_registration

A series is a breast with fat, glandular tissue and a lesion, at first without contrast agent; in the phases that follow the
lesion and, less so, the gland enhance, and all tissue moves smoothly: the motion is the curl of a sum of Gaussians, scaled so
that the largest displacement is 0 to 6 mm. Images are computed at the moved places, not interpolated, and have noise. Every
phase is registered onto the first. Each tool runs in a process of its own on the same files, one after the other, with the
same number of threads; the time is that of the registration alone, without reading and writing.

    error      mean distance in mm between where a tool and where the simulation puts the tissue at the voxels of the breast
    lesion     the same in the lesion
    folded     voxels whose Jacobian determinant (of the displacement field, by SimpleITK) is not above 0
    volume     largest change of the lesion's volume in percent, beside that of the simulated motion
    curve      mean error of the lesion's mean intensity in the moved phases, divided by the error without correction
    seconds    median over the pairs
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIZE, SPACING = (128, 128, 48), (1.2, 1.2, 2.0)
# Enhancement of the lesion in the phases of a series, the first of which stays.
PHASES = (0.0, 0.7, 1.0)


class Series:
    """A breast with its own gland, lesion and motion."""

    def __init__(self, number, count):
        import numpy as np

        self.np = np
        self.random = np.random.default_rng(20261129 + number)
        uniform = self.random.uniform
        self.extent = np.array([n * s for n, s in zip(SIZE, SPACING)])
        self.blobs = [(uniform(0, 1, 3) * self.extent, uniform(5, 12), uniform(0.6, 1.4)) for _ in range(70)]
        # Septa and vessels: fine structure everywhere, of which half is in the gland.
        self.waves = [(self.random.normal(size=3), uniform(8, 30), uniform(0, 2 * np.pi)) for _ in range(30)]
        self.lesion_centre = self.extent * uniform([0.35, 0.4, 0.4], [0.65, 0.7, 0.6])
        self.lesion_radii = uniform(6, 12, 3)
        self.lobes = uniform(0, 2 * np.pi, 3)
        # The largest displacement grows from series to series and from phase to phase.
        self.largest = [6.0 * (number + 1) / count * phase / (len(PHASES) - 1) for phase in range(len(PHASES))]
        self.bumps = [(self.extent * uniform(0.15, 0.85, 3), uniform(22, 40), self.random.normal(size=3)) for _ in range(5)]
        self.factor = 1.0
        points = self.points()[::3, ::3, ::3].reshape(-1, 3)
        inside = self.breast(points) > 0.5
        self.factor = 1.0 / np.linalg.norm(self.displacement(points[inside], 1.0), axis=-1).max()

    def points(self):
        np = self.np
        z, y, x = np.meshgrid(*[np.arange(n) * s for n, s in zip(SIZE[::-1], SPACING[::-1])], indexing="ij")
        return np.stack([x, y, z], axis=-1)

    def displacement(self, points, largest):
        np = self.np
        total = np.zeros_like(points)
        for centre, width, axis in self.bumps:
            offset = (points - centre) / width
            slope = -np.exp(-0.5 * (offset**2).sum(-1, keepdims=True))
            total += np.cross(slope * offset, axis)
        return self.factor * largest * total

    def source(self, points, largest):
        """Where the tissue was that a moved image shows at the points."""
        source = points.copy()
        for _ in range(10):
            source = points - self.displacement(source, largest)
        return source

    def breast(self, points):
        np = self.np
        x, y, z = np.moveaxis((points / self.extent - [0.5, 0.55, 0.5]) / [0.46, 0.44, 0.55], -1, 0)
        return 1 / (1 + np.exp(-12 * (1 - x * x - y * y - z * z)))

    def lesion_distance(self, points):
        np = self.np
        offset = (points - self.lesion_centre) / self.lesion_radii
        x, y, z = np.moveaxis(offset, -1, 0)
        lobes = 1 + 0.12 * np.sin(3 * np.arctan2(y, x) + self.lobes[0]) + 0.1 * np.sin(2 * np.arctan2(z, x) + self.lobes[1])
        return np.sqrt((offset**2).sum(-1)) / lobes

    def intensity(self, points, enhancement):
        np = self.np
        gland = np.zeros(points.shape[:-1])
        for centre, width, height in self.blobs:
            gland += height * np.exp(-0.5 * ((points - centre) ** 2).sum(-1) / width**2)
        gland = 1 / (1 + np.exp(-8 * (gland - 0.9)))
        lesion = 1 / (1 + np.exp(-10 * (1 - self.lesion_distance(points))))
        fine = np.zeros(points.shape[:-1])
        for direction, length, phase in self.waves:
            fine += np.cos(points @ (direction / np.linalg.norm(direction) * 2 * np.pi / length) + phase)
        fine = np.abs(fine / len(self.waves) ** 0.5)
        tissue = 300 - gland * (150 - 45 * enhancement) - 55 * fine * (1 - 0.5 * gland)
        tumour = 150 + 230 * enhancement
        return self.breast(points) * (tissue * (1 - lesion) + tumour * lesion)

    def write(self, folder):
        import SimpleITK as sitk

        np = self.np
        folder.mkdir(parents=True, exist_ok=True)
        points = self.points()
        inside, lesion = self.breast(points) > 0.5, self.lesion_distance(points) < 1
        truth = {"lesion": [], "largest": self.largest, "volume": []}
        for phase, enhancement in enumerate(PHASES):
            largest = self.largest[phase]
            source = self.source(points, largest) if largest > 0 else points
            clean = self.intensity(source, enhancement)
            still = clean if largest == 0 else self.intensity(points[lesion], enhancement)
            truth["lesion"].append(float((still[lesion] if largest == 0 else still).mean()))
            noisy = clean + self.random.normal(0, 12, clean.shape)
            image = sitk.GetImageFromArray(noisy.astype(np.float32))
            image.SetSpacing(SPACING)
            sitk.WriteImage(image, str(folder / f"phase{phase}.nii"), False)
            displacement = self.displacement(points, largest)
            np.save(folder / f"truth{phase}.npy", displacement.astype(np.float32))
            truth["volume"].append(float(jacobian(displacement)[lesion].mean()))
        for name, mask in (("breast", inside), ("lesion", lesion)):
            image = sitk.GetImageFromArray(mask.astype(np.uint8))
            image.SetSpacing(SPACING)
            sitk.WriteImage(image, str(folder / f"{name}.nii"), False)
        (folder / "truth.json").write_text(json.dumps(truth))


def jacobian(displacement):
    import SimpleITK as sitk

    field = sitk.GetImageFromArray(displacement.astype("float64"), isVector=True)
    field.SetSpacing(SPACING)
    return sitk.GetArrayFromImage(sitk.DisplacementFieldJacobianDeterminant(field))


def by_elastix(fixed, moving, threads, spacing):
    """elastix' own B-spline parameters with as many samples as it is usually given for the breast."""
    import itk

    images = [itk.imread(str(path), itk.F) for path in (fixed, moving)]
    parameters = itk.ParameterObject.New()
    chosen = parameters.GetDefaultParameterMap("bspline", 3, spacing)
    chosen["NumberOfSpatialSamples"] = ["4096"]
    chosen["NewSamplesEveryIteration"] = ["true"]
    parameters.AddParameterMap(chosen)
    # The argument `number_of_threads` ends in a segmentation fault in itk-elastix 0.25.4.
    itk.MultiThreaderBase.SetGlobalDefaultNumberOfThreads(threads)
    start = time.perf_counter()
    _, found = itk.elastix_registration_method(*images, parameter_object=parameters, log_to_console=False)
    seconds = time.perf_counter() - start
    return seconds, itk.GetArrayFromImage(itk.transformix_deformation_field(images[1], found, log_to_console=False))


def by_greedy(fixed, moving, threads, radius, smoothing, folder):
    import SimpleITK as sitk
    from picsl_greedy import Greedy3D

    warp = folder / "warp.nii"
    images = [sitk.ReadImage(str(path), sitk.sitkFloat32) for path in (fixed, moving)]
    greedy = Greedy3D()
    command = f"-i fixed moving -m NCC {radius} -n 100x50x20 -s {smoothing} -o {warp} -threads {threads} -V 0"
    start = time.perf_counter()
    greedy.execute(command, fixed=images[0], moving=images[1])
    seconds = time.perf_counter() - start
    field = sitk.GetArrayFromImage(sitk.ReadImage(str(warp)))
    return seconds, field


def by_alnm(fixed, moving, threads, program, lesion, parameters, folder):
    import numpy as np
    import SimpleITK as sitk

    out = folder / "motion.tfm"
    environment = os.environ | {"RAYON_NUM_THREADS": str(threads)}
    command = [program, str(fixed), str(moving), str(out), "1", lesion, parameters]
    line = subprocess.run(command, capture_output=True, text=True, env=environment)
    if line.returncode:
        raise SystemExit(line.stderr)
    report = json.loads(line.stdout)
    image = sitk.ReadImage(str(fixed))
    filter = sitk.TransformToDisplacementFieldFilter()
    filter.SetReferenceImage(image)
    filter.SetOutputPixelType(sitk.sitkVectorFloat64)
    field = sitk.GetArrayFromImage(filter.Execute(sitk.ReadTransform(str(out))))
    if report["folded"]:
        print("folded by its own count:", report["folded"], file=sys.stderr)
    return report["calls"][0][0], np.asarray(field)


def judge(folder, phase, displacement):
    """What a displacement field is worth."""
    import numpy as np
    import SimpleITK as sitk

    truth = np.load(folder / f"truth{phase}.npy")
    breast, lesion = (sitk.GetArrayFromImage(sitk.ReadImage(str(folder / f"{name}.nii"))) > 0 for name in ("breast", "lesion"))
    apart = np.linalg.norm(displacement - truth, axis=-1)
    determinant = jacobian(displacement)
    field = sitk.GetImageFromArray(displacement.astype("float64"), isVector=True)
    field.SetSpacing(SPACING)
    moving = sitk.ReadImage(str(folder / f"phase{phase}.nii"))
    warped = sitk.GetArrayFromImage(sitk.Resample(moving, moving, sitk.DisplacementFieldTransform(field), sitk.sitkLinear))
    known = json.loads((folder / "truth.json").read_text())
    return {
        "error": float(apart[breast].mean()),
        "lesion": float(apart[lesion].mean()),
        "folded": int((determinant <= 0).sum()),
        "volume": float(100 * (determinant[lesion].mean() - 1)),
        "known_volume": 100 * (known["volume"][phase] - 1),
        "curve": float(abs(warped[lesion].mean() - known["lesion"][phase])),
    }


def worker(task, *arguments):
    """What runs in a process of its own."""
    if task == "simulate":
        folder, number, count = arguments
        Series(int(number), int(count)).write(Path(folder))
        return
    folder, phase, threads, *options = arguments
    folder, phase = Path(folder), int(phase)
    fixed, moving = folder / "phase0.nii", folder / f"phase{phase}.nii"
    if task == "none":
        import numpy as np

        seconds, displacement = 0.0, np.zeros((*SIZE[::-1], 3))
    elif task == "elastix":
        seconds, displacement = by_elastix(fixed, moving, int(threads), float(options[0]))
    elif task == "greedy":
        seconds, displacement = by_greedy(fixed, moving, int(threads), options[0], options[1], folder)
    else:
        program, lesion, parameters = options
        lesion = str(folder / "lesion.nii") if lesion == "lesion" else "-"
        seconds, displacement = by_alnm(fixed, moving, int(threads), program, lesion, parameters, folder)
    print(json.dumps(judge(folder, phase, displacement) | {"seconds": seconds}))


def run(*arguments):
    command = [sys.executable, os.path.abspath(__file__), "--worker", *map(str, arguments)]
    # transformix leaves its field in the folder that it runs in.
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    if done.returncode:
        raise SystemExit(f"{arguments}: {done.stderr}")
    return done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="target/release/repeat_registration")
    parser.add_argument("--series", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--parameters", default="{}", help="of alnm, as JSON")
    parser.add_argument("--tools", default="elastix,greedy,greedy smooth,alnm,alnm lesion")
    parser.add_argument("--folder", help="where the series are kept; those that are there are not simulated again")
    parser.add_argument("--only", type=lambda text: [int(number) for number in text.split(",")], help="numbers of series, from 1")
    parser.add_argument("--json", help="file for all figures; those that it holds already are taken from there")
    options = parser.parse_args()
    tools = {
        "elastix": ("elastix", 12.0),
        "greedy": ("greedy", "2x2x2", "1.732vox 0.7071vox"),
        "greedy smooth": ("greedy", "2x2x2", "3vox 1vox"),
        "alnm": ("alnm", os.path.abspath(options.program), "none", options.parameters),
        "alnm lesion": ("alnm", os.path.abspath(options.program), "lesion", options.parameters),
    }
    chosen = {"none": ("none",)} | {name: tools[name] for name in options.tools.split(",")}
    numbers = [number - 1 for number in options.only] if options.only else range(options.series)
    kept = json.loads(Path(options.json).read_text()) if options.json and Path(options.json).exists() else {}
    rows = {name: [] for name in chosen}
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(options.folder or temporary).absolute()
        for number in numbers:
            folder = root / f"series{number}of{options.series}"
            if not (folder / "truth.json").exists():
                run("simulate", folder, number, options.series)
            for phase in range(1, len(PHASES)):
                for name, (task, *arguments) in chosen.items():
                    pair = f"{name}, series {number + 1} of {options.series}, phase {phase}, {options.threads} threads"
                    if pair not in kept:
                        kept[pair] = json.loads(run(task, folder, phase, options.threads, *arguments))
                        if options.json:
                            Path(options.json).write_text(json.dumps(kept, indent=1))
                    rows[name].append(kept[pair])
            print(f"series {number + 1} of {options.series}", file=sys.stderr, flush=True)
    print(f"{len(rows['none'])} pairs, {options.threads} threads")
    print("| | error mm | lesion mm | folded | volume % (largest, off the known) | curve | seconds |")
    print("|---|---|---|---|---|---|---|")
    still = sum(row["curve"] for row in rows["none"])
    for name, found in rows.items():
        mean = {key: statistics.mean(row[key] for row in found) for key in ("error", "lesion")}
        volume = max(abs(row["volume"] - row["known_volume"]) for row in found)
        curve = sum(row["curve"] for row in found) / still
        print(
            f"| {name} | {mean['error']:.3f} | {mean['lesion']:.3f} | {sum(row['folded'] for row in found)} "
            f"| {volume:.2f} | {curve:.3f} | {statistics.median(row['seconds'] for row in found):.2f} |"
        )


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] == "--worker":
        worker(*sys.argv[2:])
    else:
        main()
