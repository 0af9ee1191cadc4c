"""Runs the study on disks that are too small, and on stored steps that were cut short or changed by hand, and compares what it leaves.

    cargo build --release --example reproduce_study
    sudo python3 examples/scripts/full_disk.py target/release/examples/reproduce_study --disks 6

Each disk is a tmpfs of a share of what an undisturbed run needs. The run must end with a message that names a file, leave no torn file under a
file's name, and, on the same disk made larger, go on to the same files. Then one file of each step is cut in half, and one changed in a byte: the same
command must leave the same files. Compared byte by byte are all files but costs.json and run.log, which hold times, and the folder of finished steps.
Python's standard library only; needs root for the disks; status 1 when something differs.
"""

import argparse
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from kill_and_resume import left_by


def run(command, out):
    """Exit status and what was said on standard error."""
    done = subprocess.run([*command, "--out", str(out)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    return done.returncode, done.stderr


def size_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def differences(expected, out):
    found = left_by(out)
    return sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))


def on_small_disk(command, expected, share, whole):
    """What is wrong with a run on a disk of a share of the bytes of a whole one."""
    with tempfile.TemporaryDirectory() as place:
        size = max(1 << 16, int(share * whole))
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], check=True)
        try:
            out = Path(place) / "out"
            status, said = run(command, out)
            last = said.strip().splitlines()[-1] if said.strip() else ""
            print(f"disk of {size / 1e6:.1f} MB: status {status}: {last}")
            faults = []
            if status == 0:
                return faults
            if str(out) not in said:
                faults.append(f"no file is named: {said.strip()}")
            if "panicked" in said:
                faults.append(f"a panic: {said.strip()}")
            subprocess.run(["mount", "-o", f"remount,size={3 * whole}", place], check=True)
            status, said = run(command, out)
            if status != 0:
                return [*faults, f"on the larger disk status {status}: {said.strip()}"]
            return faults + [f"differs: {name}" for name in differences(expected, out)]
        finally:
            subprocess.run(["umount", place], check=True)


def with_damaged_steps(command, expected, out, generator):
    """What is wrong after one stored file of each step was damaged in each of two ways."""
    faults = []
    for damage in ("cut in half", "changed in a byte"):
        damaged = []
        for step in sorted((out / "steps").iterdir()):
            path = generator.choice(sorted(path for path in step.rglob("*") if path.is_file()))
            content = bytearray(path.read_bytes())
            if damage == "cut in half":
                content = content[: len(content) // 2]
            else:
                # A digit, so that the file stays well-formed.
                digits = [place for place, byte in enumerate(content) if chr(byte).isdigit()]
                place = generator.choice(digits)
                content[place] = ord("7") if content[place] != ord("7") else ord("3")
            path.write_bytes(content)
            damaged.append(str(path.relative_to(out)))
        status, said = run(command, out)
        print(f"{damage}: {', '.join(damaged)}: status {status}")
        if status != 0:
            faults.append(f"{damage}: status {status}: {said.strip()}")
        faults += [f"{damage}: differs: {name}" for name in differences(expected, out)]
    return faults


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--patients", type=int, default=120, help="of the simulated cohort")
    parser.add_argument("--disks", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1, help="of the files that are damaged")
    options = parser.parse_args()
    command = [options.program, "--quick", "--patients", str(options.patients)]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        status, said = run(command, out)
        if status != 0:
            sys.exit(f"the undisturbed run ended with {status}: {said}")
        expected, whole = left_by(out), size_of(out)
        print(f"undisturbed: {len(expected)} files compared, {whole / 1e6:.1f} MB")
        faults = []
        for disk in range(options.disks):
            faults += on_small_disk(command, expected, (disk + 0.5) / options.disks, whole)
        faults += with_damaged_steps(command, expected, out, random.Random(options.seed))
    print("\n".join(faults) if faults else "all the same")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
