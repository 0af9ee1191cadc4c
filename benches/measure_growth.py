#!/usr/bin/env python3
"""Time and peak memory of the default features of regions of 10, 20 and 30 million voxels in an image of 512 x 512 x 300.

    cargo build --release -p alnm-benches --bin repeat_extraction
    python3 benches/measure_growth.py target/release/repeat_extraction [--threads 2] [--voxels 10 20 30]

Needs nothing but Python. Writes image (16-bit noise over four plateaus) and masks as raw NRRD files into a temporary folder, about 400 MB.
One line for each region: wall and CPU seconds of a call with the images in memory, both for each million voxels, and the peak of the whole
process, also relative to the image's own size in memory.
"""

import argparse
import json
import os
import random
import subprocess
import tempfile
from pathlib import Path

WIDTH, HEIGHT, DEPTH = 512, 512, 300
PLANE = WIDTH * HEIGHT
CLASSES = "shape: , firstorder: , glcm: , glrlm: , glszm: , gldm: , ngtdm: "


def header(kind):
    """The head of an NRRD file of voxels of that type."""
    lines = ["NRRD0004", f"type: {kind}", "dimension: 3", "space: left-posterior-superior", f"sizes: {WIDTH} {HEIGHT} {DEPTH}"]
    lines += ["space directions: (1,0,0) (0,1,0) (0,0,1)", "kinds: domain domain domain", "endian: little", "encoding: raw", "space origin: (0,0,0)"]
    return ("\n".join(lines) + "\n\n").encode()


def write_image(path):
    """Noise from 0 to 255 over plateaus of 256, 512, 768 and 1024, each a quarter of a row."""
    generator = random.Random(1)
    plateaus = b"".join(bytes([step + 1]) * (WIDTH // 4) for step in range(4))
    with path.open("wb") as file:
        file.write(header("short"))
        for _ in range(DEPTH):
            plane = bytearray(2 * PLANE)
            plane[0::2] = generator.randbytes(PLANE)
            plane[1::2] = plateaus * HEIGHT
            file.write(plane)


def write_mask(path, millions):
    """A slab of whole planes in the middle, of about that many million voxels."""
    planes = min(round(millions * 1e6 / PLANE), DEPTH)
    first = (DEPTH - planes) // 2
    with path.open("wb") as file:
        file.write(header("unsigned char"))
        for plane in range(DEPTH):
            file.write(bytes([1 if first <= plane < first + planes else 0]) * PLANE)
    return planes * PLANE


def measured(program, files, parameters, threads):
    """Least wall and CPU seconds of a call, and the peak memory of the process in bytes."""
    command = [program, *files, parameters, "segment", "0", "1"]
    environment = os.environ | {"RAYON_NUM_THREADS": str(threads)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"{program} failed with status {status}")
    wall, processor = (min(call[kind] for call in json.loads(output)["calls"]) for kind in (0, 1))
    return wall, processor, usage.ru_maxrss * 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--voxels", type=float, nargs="+", default=[10, 20, 30], help="millions of voxels of the regions")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    print("million voxels | wall s, a million | CPU s, a million | peak MiB, times the image")
    with tempfile.TemporaryDirectory() as folder:
        image, mask, parameters = (Path(folder) / name for name in ("image.nrrd", "mask.nrrd", "parameters.yaml"))
        write_image(image)
        parameters.write_text(f"featureClass: {{{CLASSES}}}\n")
        for millions in arguments.voxels:
            voxels = write_mask(mask, millions) / 1e6
            wall, processor, peak = measured(arguments.program, [image, mask], parameters, arguments.threads)
            times = f"{wall:7.2f} {wall / voxels:8.4f} | {processor:7.2f} {processor / voxels:8.4f}"
            print(f"{voxels:14.1f} | {times} | {peak / 2**20:8.0f} {peak / (2 * PLANE * DEPTH):6.2f}", flush=True)


if __name__ == "__main__":
    main()
