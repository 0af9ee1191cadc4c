#!/usr/bin/env python3
"""Active contours beside Convert3D's -levelset and SimpleITK's threshold level set: outlines, time and memory in one run.

    python3 -m venv venv && venv/bin/pip install picsl_c3d==1.4.6 SimpleITK==2.5.7 numpy
    cargo build --release -p alnm-benches --bin repeat_segmentation
    RAYON_NUM_THREADS=2 venv/bin/python benches/compare_segmentation.py --ours target/release/repeat_segmentation --packs REFERENCE

Lesions are simulated from a fixed seed in images of three sizes, and the regions of images of a folder (`input.nrrd` beside
`label.nrrd`, in folders under `--packs`) are outlined from the voxel farthest inside of them. Each image becomes a speed by
ITK-SNAP's smooth threshold, rounded to single precision, and a seed; all tools get these same files, weights and iterations.
They take turns, each run in a process of its own. SimpleITK's filter has no way to take a speed image: it gets an image and
thresholds, and ours gets the speed that it computes from them.

    dice, volume   of our outline against the tool's
    work           seconds of the level set alone, medians of `--runs`; Convert3D gets its images from memory
    processor      the same of all threads' processor time, which says more where the machine is busy
    peak           MiB that the level set adds at most to the memory of a process that holds the images
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIZES = [((96, 96, 40), (0.8, 0.8, 2.0)), ((192, 192, 64), (0.7, 0.7, 1.6)), ((384, 384, 96), (0.6, 0.6, 1.2))]
CURVATURE = 0.2


def lesion(number):
    """An image with a lesion: an ellipsoid whose surface waves, in noise, brighter than what surrounds it."""
    import numpy

    generator = numpy.random.default_rng(20261129 + number)
    size, spacing = SIZES[number % len(SIZES)]
    z, y, x = numpy.meshgrid(*[numpy.arange(n, dtype=numpy.float32) for n in size[::-1]], indexing="ij", sparse=True)
    centre = [n * generator.uniform(0.4, 0.6) for n in size]
    axes = generator.uniform(6, 12, 3)
    u, v, w = ((i - c) * s for i, c, s in zip((x, y, z), centre, spacing))
    wave = generator.uniform(0.05, 0.2)
    angle = numpy.arctan2(v, u + 0 * v)
    radius = numpy.sqrt((u / axes[0]) ** 2 + (v / axes[1]) ** 2 + (w / axes[2]) ** 2)
    inside = radius < 1 + wave * numpy.sin(generator.integers(2, 6) * angle + w / 4)
    image = numpy.where(inside, 300, 120) + generator.normal(0, generator.uniform(10, 40), size[::-1])
    return image.astype(numpy.float32), spacing, [round(c) for c in centre], (210.0, None)


def of_pack(folder):
    """The image of a pack, the voxel farthest inside of its region, and a threshold between the region and what surrounds it."""
    import numpy
    import SimpleITK as sitk

    image, label = sitk.ReadImage(f"{folder}/input.nrrd", sitk.sitkFloat32), sitk.ReadImage(f"{folder}/label.nrrd") > 0
    label.CopyInformation(image)
    depth = sitk.GetArrayFromImage(sitk.SignedMaurerDistanceMap(label, True, False, True))
    z, y, x = numpy.unravel_index(depth.argmax(), depth.shape)
    values, inside = sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(label) > 0
    around = sitk.GetArrayFromImage(sitk.BinaryDilate(label, [4, 4, 2])) > 0
    low, high = numpy.percentile(values[inside], [10, 99.5])
    lower = (low + numpy.median(values[around & ~inside])) / 2 if low > numpy.median(values[around & ~inside]) else low
    return values, image.GetSpacing(), [int(x), int(y), int(z)], (float(lower), float(high * 1.3))


def smooth_threshold(values, lower, upper):
    import numpy

    scale = (upper - lower) if upper is not None else (float(values.max()) - float(values.min())) / 3
    slope = math.log((2 - 1e-3) / 1e-3) / scale
    speed = numpy.tanh((values - lower) * slope)
    if upper is not None:
        speed = speed + numpy.tanh((upper - values) * slope) - 1
    return (numpy.trunc(speed * 32767) / 32767).astype(numpy.float32)


def prepare(folder, kind, source):
    import numpy
    import SimpleITK as sitk

    values, spacing, seed, (lower, upper) = lesion(int(source)) if kind == "simulated" else of_pack(source)
    speed = smooth_threshold(values, lower, upper)
    z, y, x = numpy.ogrid[tuple(slice(0, n) for n in values.shape)]
    near = ((x - seed[0]) * spacing[0]) ** 2 + ((y - seed[1]) * spacing[1]) ** 2 + ((z - seed[2]) * spacing[2]) ** 2
    inside = near <= (2.5 if kind == "simulated" else 2 * max(spacing)) ** 2
    # SimpleITK's speed is linear between its thresholds; whole numbers make it the same in single and in double precision.
    feature = numpy.clip(numpy.rint(values), -30000, 30000)
    top = upper if upper is not None else 2 * float(values.max())
    limits = [float(round(lower)), float(round(top))]
    middle = (limits[1] - limits[0]) / 2 + limits[0]
    linear = numpy.where(feature < middle, feature - limits[0], limits[1] - feature).astype(numpy.float32)

    def write(name, array):
        image = sitk.GetImageFromArray(array)
        image.SetSpacing(spacing)
        sitk.WriteImage(image, f"{folder}/{name}.nrrd")

    write("speed", speed)
    write("seed", inside.astype(numpy.uint8))
    write("start", numpy.where(inside, -1.0, 1.0))
    write("feature", feature.astype(numpy.float64))
    write("linear", linear)
    print(json.dumps({"limits": limits, "size": values.shape[::-1]}))


def peak():
    """Largest resident memory so far in MiB, and then from here on anew."""
    with open("/proc/self/status") as status:
        found = next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))
    with open("/proc/self/clear_refs", "w") as clear:
        clear.write("5")
    return found


def current():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS"))


def convert3d(folder, iterations):
    import SimpleITK as sitk
    from picsl_c3d import Convert3D

    tool = Convert3D()
    tool.push(sitk.ReadImage(f"{folder}/speed.nrrd", sitk.sitkFloat64))
    tool.push(sitk.ReadImage(f"{folder}/start.nrrd"))
    peak()
    before, start, processor = current(), time.perf_counter(), time.process_time()
    tool.execute(f"-levelset-curvature {CURVATURE} -levelset {iterations}")
    work, processor, most = time.perf_counter() - start, time.process_time() - processor, peak()
    sitk.WriteImage(tool.pop() <= 0, f"{folder}/convert3d.nrrd")
    print(json.dumps({"work": work, "processor": processor, "peak": most - before}))


def simpleitk(folder, iterations, lower, upper, threads):
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(int(threads))
    feature, begin = sitk.ReadImage(f"{folder}/feature.nrrd"), sitk.ReadImage(f"{folder}/start.nrrd")
    peak()
    before, start, processor = current(), time.perf_counter(), time.process_time()
    found = sitk.ThresholdSegmentationLevelSet(
        begin, feature, lowerThreshold=float(lower), upperThreshold=float(upper), maximumRMSError=1e-4,
        propagationScaling=1.0, curvatureScaling=CURVATURE, numberOfIterations=int(iterations))
    work, processor, most = time.perf_counter() - start, time.process_time() - processor, peak()
    sitk.WriteImage(found <= 0, f"{folder}/simpleitk.nrrd")
    print(json.dumps({"work": work, "processor": processor, "peak": most - before}))


def compare(folder, first, second):
    import SimpleITK as sitk

    a, b = (sitk.GetArrayFromImage(sitk.ReadImage(f"{folder}/{name}.nrrd")) > 0 for name in (first, second))
    total = int(a.sum()) + int(b.sum())
    dice = 2 * int((a & b).sum()) / total if total else 1.0
    print(json.dumps({"dice": dice, "voxels": [int(a.sum()), int(b.sum())], "differing": int((a != b).sum())}))


def child(*arguments):
    """A worker of this script in a process of its own."""
    run = subprocess.run([sys.executable, __file__, "worker", *map(str, arguments)], capture_output=True, text=True)
    if run.returncode != 0:
        raise SystemExit(f"{arguments} failed: {run.stderr}")
    return json.loads(run.stdout.strip().splitlines()[-1])


def ours(program, folder, speed, name, iterations, runs):
    """Median seconds of our level set by the clock and of processor time, and the memory that it adds in MiB."""
    command = [program, f"{folder}/{speed}.nrrd", f"{folder}/seed.nrrd", f"{folder}/{name}.nrrd", iterations, CURVATURE, runs]
    run = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if run.returncode != 0:
        raise SystemExit(f"{command} failed: {run.stderr}")
    found = json.loads(run.stdout)
    return statistics.median(found["seconds"]), statistics.median(found["processor"]), found["peak"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ours", required=True)
    parser.add_argument("--packs", help="folder whose subfolders hold input.nrrd and label.nrrd")
    parser.add_argument("--simulated", type=int, default=48)
    parser.add_argument("--first", type=int, default=0, help="number of the first simulated lesion")
    parser.add_argument("--iterations", type=int, default=300)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=int(os.environ.get("RAYON_NUM_THREADS", "2")))
    options = parser.parse_args()
    os.environ["RAYON_NUM_THREADS"] = str(options.threads)
    cases = [("simulated", str(number)) for number in range(options.first, options.first + options.simulated)]
    if options.packs:
        cases += [("pack", str(path.parent)) for path in sorted(Path(options.packs).glob("*/label.nrrd"))]
    print("case                 size          tool       voxels    dice  differing  volume %   work s    ours s  ratio  processor   peak  ours MiB")
    rows = []
    for kind, source in cases:
        with tempfile.TemporaryDirectory() as folder:
            made = child("prepare", folder, kind, source)
            for tool, speed in (("convert3d", "speed"), ("simpleitk", "linear")):
                name, n = f"ours_{tool}", options.iterations
                arguments = (n,) if tool == "convert3d" else (n, *made["limits"], options.threads)
                theirs = [child(tool, folder, *arguments) for _ in range(options.runs)]
                seconds, processor, most = ours(options.ours, folder, speed, name, n, options.runs)
                found = child("compare", folder, name, tool)
                row = {
                    "image": "real" if kind == "pack" else " × ".join(map(str, made["size"])),
                    "tool": tool,
                    "work": statistics.median(run["work"] for run in theirs),
                    "ours": seconds,
                    "processor": statistics.median(run["processor"] for run in theirs),
                    "our processor": processor,
                    "peak": statistics.median(run["peak"] for run in theirs),
                    "our peak": most,
                    "dice": found["dice"],
                    "differing": found["differing"],
                    "volume": 100 * (found["voxels"][0] - found["voxels"][1]) / max(found["voxels"][1], 1),
                }
                row["ratio"], row["processor ratio"] = row["work"] / row["ours"], row["processor"] / row["our processor"]
                rows.append(row)
                title = f"{kind} {Path(source).name}"
                print(f"{title:20} {'x'.join(map(str, made['size'])):13} {tool:10} {found['voxels'][1]:6} {row['dice']:7.4f} "
                      f"{row['differing']:10} {row['volume']:9.3f} {row['work']:8.3f} {seconds:9.5f} {row['ratio']:6.1f} "
                      f"{row['processor ratio']:9.1f} {row['peak']:6.1f} {most:9.1f}", flush=True)
    summary(rows)


def summary(rows):
    """Medians for each size of image, and what holds for all outlines."""
    print("\n| image | tool | outlines | level set, tool s | alnm s | ratio | processor: tool s | alnm s | ratio | MiB: tool | alnm |"
          "\n|---|---|---|---|---|---|---|---|---|---|---|")
    for image, tool in dict.fromkeys((row["image"], row["tool"]) for row in rows):
        group = [row for row in rows if (row["image"], row["tool"]) == (image, tool)]
        work, ours, ratio, processor, our_processor, processor_ratio, peak, most = (
            statistics.median(row[key] for row in group)
            for key in ("work", "ours", "ratio", "processor", "our processor", "processor ratio", "peak", "our peak"))
        print(f"| {image} | {tool} | {len(group)} | {work:.3f} | {ours:.4f} | {ratio:.1f} | {processor:.3f} | {our_processor:.4f} "
              f"| {processor_ratio:.1f} | {peak:.0f} | {most:.1f} |")
    for tool in dict.fromkeys(row["tool"] for row in rows):
        group = [row for row in rows if row["tool"] == tool]
        print(f"{tool}: {len(group)} outlines, {sum(row['differing'] == 0 for row in group)} equal in every voxel, smallest Dice "
              f"{min(row['dice'] for row in group):.4f}, largest difference of volumes {max(abs(row['volume']) for row in group):.3f} %, "
              f"time median {statistics.median(row['ratio'] for row in group):.1f} times ours, "
              f"from {min(row['ratio'] for row in group):.1f} to {max(row['ratio'] for row in group):.1f}; of processor time "
              f"{statistics.median(row['processor ratio'] for row in group):.1f}, from {min(row['processor ratio'] for row in group):.1f} "
              f"to {max(row['processor ratio'] for row in group):.1f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        task, *rest = sys.argv[2:]
        {"prepare": prepare, "convert3d": convert3d, "simpleitk": simpleitk, "compare": compare}[task](*rest)
    else:
        main()
