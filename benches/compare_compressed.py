#!/usr/bin/env python3
"""Times compressed files, old build and new against SimpleITK, and opens the new ones with other programs.

    python3 -m venv venv && venv/bin/pip install SimpleITK==2.5.7 nibabel pynrrd numpy
    cargo build --release -p alnm-benches --bins
    venv/bin/python benches/compare_compressed.py target/release/repeat_files [--old OTHER/target/release/repeat_files]

Images of 25 MB and 150 MB in floats and of half that in 16-bit integers are generated from a fixed seed: a head of three tissues
under a smooth bias field, with noise. Each side writes and reads the same image as .nii.gz, .nrrd and .mha in a process of its own;
they take turns, and the figures are the least of all runs, in seconds. `size` is that of the file, relative to SimpleITK's. The new
files are then read by nibabel, pynrrd and SimpleITK, which have to find every voxel. Exits with 1 when one does not.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SUFFIXES = ["nii.gz", "nrrd", "mha"]
SIZES = {"25 MB": (256, 256, 96), "150 MB": (512, 512, 143)}


def by_simpleitk(source, folder, runs):
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    image = sitk.ReadImage(str(source))
    for key in image.GetMetaDataKeys():
        image.EraseMetaData(key)
    for suffix in SUFFIXES:
        file = Path(folder) / f"image.{suffix}"
        write, read = [], []
        for _ in range(runs):
            start = time.perf_counter()
            sitk.WriteImage(image, str(file), True)
            write.append(time.perf_counter() - start)
            start = time.perf_counter()
            sitk.ReadImage(str(file))
            read.append(time.perf_counter() - start)
        print(json.dumps({"suffix": suffix, "write": min(write), "read": min(read), "bytes": os.path.getsize(file)}))


def timed(command, threads):
    environment = os.environ | {"RAYON_NUM_THREADS": threads}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise SystemExit(done.stderr)
    return {line["suffix"]: line for line in map(json.loads, done.stdout.splitlines())}


def least(earlier, now):
    return {s: {k: min(earlier[s][k], v) if k != "suffix" else v for k, v in line.items()} for s, line in now.items()} if earlier else now


def check_readers(folder, source):
    import nibabel
    import nrrd
    import numpy as np
    import SimpleITK as sitk

    voxels = sitk.GetArrayFromImage(sitk.ReadImage(str(source)))
    faults = []
    readers = {
        "SimpleITK": {suffix: lambda path: sitk.GetArrayFromImage(sitk.ReadImage(path)) for suffix in SUFFIXES},
        "nibabel": {"nii.gz": lambda path: np.asanyarray(nibabel.load(path).dataobj).T},
        "pynrrd": {"nrrd": lambda path: nrrd.read(path, index_order="C")[0]},
        "gzip": {"nii.gz": lambda path: np.frombuffer(subprocess.run(["gzip", "-dc", path], capture_output=True, check=True).stdout[352:], voxels.dtype).reshape(voxels.shape)},
    }
    for name, files in readers.items():
        for suffix, read in files.items():
            same = np.array_equal(read(str(Path(folder) / f"image.{suffix}")), voxels)
            print(f"    {name:10} .{suffix:7} {'every voxel' if same else 'VOXELS DIFFER'}")
            faults += [] if same else [name]
    return faults


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("new")
    parser.add_argument("--old")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--threads", default="2")
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=list(SIZES), help="some of the sizes alone")
    parser.add_argument("--simpleitk", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.simpleitk:
        return by_simpleitk(*options.simpleitk, options.runs)
    sys.path.insert(0, str(Path(__file__).parent))
    import SimpleITK as sitk
    from compare_simpleitk import generate

    sides = {"SimpleITK": None, "old": options.old, "new": options.new}
    sides = {name: program for name, program in sides.items() if name == "SimpleITK" or program}
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for title in options.sizes:
            size = SIZES[title]
            generate(folder / "float.nii", size, (0.9, 0.9, 1.6))
            sitk.WriteImage(sitk.Cast(sitk.ReadImage(str(folder / "float.nii")), sitk.sitkInt16), str(folder / "int16.nii"), False)
            for kind in ["float", "int16"]:
                source, times = folder / f"{kind}.nii", {}
                for _ in range(options.turns):
                    for name, program in sides.items():
                        own = folder / name
                        own.mkdir(exist_ok=True)
                        if program:
                            command = [program, source, own, str(options.runs)]
                        else:
                            command = [sys.executable, __file__, "-", "--runs", str(options.runs), "--simpleitk", source, own]
                        times[name] = least(times.get(name), timed(list(map(str, command)), options.threads))
                print(f"{title}, {kind}" if kind == "float" else f"half of {title}, {kind}")
                print(f"    {'':14}" + "".join(f"{name + ' write':>16}{'read':>9}{'size':>8}" for name in times) + f"{'times faster to write':>24}{'to read':>9}")
                for suffix in SUFFIXES:
                    peer = times["SimpleITK"][suffix]
                    cells = "".join(
                        f"{line[suffix]['write']:16.3f}{line[suffix]['read']:9.3f}{line[suffix]['bytes'] / peer['bytes']:8.3f}" for line in times.values()
                    )
                    new = times["new"][suffix]
                    print(f"    .{suffix:13}{cells}{peer['write'] / new['write']:24.2f}{peer['read'] / new['read']:9.2f}")
                faults += check_readers(folder / "new", source)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
