"""Shows that a batch of many small cases needs no more memory than a small one, and 64 open files.

    python3 examples/scripts/many_cases.py target/release/alnm [CASES ...]

Writes images of 24 x 24 x 12 voxels with a mask each (NRRD), as many as the largest number of CASES says (500 and 5000), and
extracts each number of them with at most 64 open files: with the profiles of PyRadiomics and of the IBSI, with and without
--out-dir. Prints the seconds, the peak memory in MiB and what a case adds to it between the smallest and the largest batch.
Needs nothing but Python, on Linux or macOS."""
import array
import os
import pathlib
import resource
import sys
import tempfile
import time

SIZE = (24, 24, 12)
OPEN_FILES = 64


def write_case(folder, number):
    width, height, depth = SIZE
    voxels = [(x, y, z) for z in range(depth) for y in range(height) for x in range(width)]
    image = array.array("h", ((x * 7 + y * 13 * (number % 97 + 1) + z * 31) % 251 for x, y, z in voxels))
    inside = lambda x, y, z: (x - 12) ** 2 + (y - 11) ** 2 + 4 * (z - 6) ** 2 < 60 + number % 23
    mask = array.array("B", (inside(*voxel) for voxel in voxels))
    for name, kind, values in (("image", "int16", image), ("mask", "uint8", mask)):
        header = (
            f"NRRD0004\ntype: {kind}\ndimension: 3\nspace: left-posterior-superior\nsizes: {width} {height} {depth}\n"
            "space directions: (1,0,0) (0,1,0) (0,0,2)\nendian: little\nencoding: raw\nspace origin: (0,0,0)\n\n"
        )
        if sys.byteorder == "big":
            values.byteswap()
        pathlib.Path(folder, f"{name}{number}.nrrd").write_bytes(header.encode() + values.tobytes())


def measured(command, folder):
    """Seconds and peak memory of a command with few open files."""
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        os.chdir(folder)
        resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
        os.execv(command[0], command)
    _, status, usage = os.wait4(child, 0)
    if status != 0:
        sys.exit(f"{' '.join(command)} failed with {os.waitstatus_to_exitcode(status)}")
    unit = 1 if sys.platform == "darwin" else 1024
    return time.monotonic() - start, usage.ru_maxrss * unit / 2**20


def main():
    program = str(pathlib.Path(sys.argv[1]).resolve())
    numbers = sorted(map(int, sys.argv[2:])) or [500, 5000]
    with tempfile.TemporaryDirectory() as folder:
        for number in range(1, numbers[-1] + 1):
            write_case(folder, number)
        for cases in numbers:
            rows = "".join(f"image{number}.nrrd,mask{number}.nrrd\n" for number in range(1, cases + 1))
            pathlib.Path(folder, f"{cases}.csv").write_text("Image,Mask\n" + rows)
        print(f"{'profile':14}{'--out-dir':>10}" + "".join(f"{f'{cases} cases':>24}" for cases in numbers) + f"{'a case':>14}")
        for profile in ("pyradiomics", "ibsi"):
            for stored in (False, True):
                line, peaks = f"{profile:14}{'yes' if stored else 'no':>10}", []
                for cases in numbers:
                    command = [program, "extract", f"{cases}.csv", "--profile", profile, "--format", "csv", "--verbosity", "2"]
                    command += ["--out", f"{profile}{cases}{stored}.csv"]
                    command += ["--out-dir", f"{profile}{cases}"] if stored else []
                    seconds, peak = measured(command, folder)
                    peaks.append(peak)
                    line += f"{seconds:12.1f} s {peak:6.0f} MiB"
                per_case = (peaks[-1] - peaks[0]) * 1024 / max(numbers[-1] - numbers[0], 1)
                print(f"{line}{per_case:10.1f} KiB", flush=True)


if __name__ == "__main__":
    main()
