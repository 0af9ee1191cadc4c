"""Kills `alnm extract` on a batch of small cases with SIGKILL at random moments, resumes it, and compares the table with that of an undisturbed run.

    cargo build --release -p alnm-cli
    python3 examples/scripts/kill_batch.py target/release/alnm --kills 15

Every kill is of a run of its own in an empty folder; with --partner a second process works on the same folder and the same table and is not killed.
What is checked after each kill: the folder holds whole files only (besides hidden unfinished ones, at most one for each thread), the table is absent or
whole, the resumed run takes every stored case without computing it again, and its table equals that of the undisturbed run byte by byte.
Python's standard library only; status 1 when anything differs.
"""

import argparse
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIZE = (24, 22, 12)


def write_cases(folder, count):
    """Images of noise over a gradient and masks of a ball, as uncompressed NRRD, and the list of them."""
    header = "NRRD0004\ntype: {}\ndimension: 3\nspace: left-posterior-superior\nsizes: {} {} {}\nspace directions: (0.8,0,0) (0,0.8,0) (0,0,2)\n"
    header += "kinds: domain domain domain\nendian: little\nencoding: raw\nspace origin: (0,0,0)\n\n"
    noise = random.Random(7)
    rows = ["ID,Image,Mask"]
    for case in range(count):
        voxels, labels = bytearray(), bytearray()
        radius = 4 + case % 4
        for z in range(SIZE[2]):
            for y in range(SIZE[1]):
                for x in range(SIZE[0]):
                    voxels += int(200 + 9 * x - 4 * y + 11 * z + noise.gauss(0, 40)).to_bytes(2, "little", signed=True)
                    labels.append((x - 12) ** 2 + (y - 11) ** 2 + (2.5 * (z - 6)) ** 2 < radius**2)
        (folder / f"image{case}.nrrd").write_bytes(header.format("int16", *SIZE).encode() + voxels)
        (folder / f"mask{case}.nrrd").write_bytes(header.format("uint8", *SIZE).encode() + labels)
        rows.append(f"p{case},image{case}.nrrd,mask{case}.nrrd")
    (folder / "cases.csv").write_text("\n".join(rows) + "\n")


def start(program, folder, threads):
    command = [program, "extract", "../cases.csv", "-f", "csv", "-j", str(threads), "-od", "parts", "-o", "table.csv", "--append", "-v", "4"]
    command += ["--format-path", "basename"]
    return subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)


def finish(process):
    _, messages = process.communicate()
    if process.returncode != 0:
        sys.exit(f"alnm extract ended with {process.returncode}: {messages}")
    return messages


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--cases", type=int, default=120)
    parser.add_argument("--kills", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--partner", action="store_true", help="a second process works along")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    options = parser.parse_args()
    program = str(Path(options.program).resolve())
    moments = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        write_cases(folder, options.cases)
        out = folder / "undisturbed"
        out.mkdir()
        began = time.monotonic()
        finish(start(program, out, options.threads))
        duration = time.monotonic() - began
        expected = (out / "table.csv").read_bytes()
        header, rows = expected.split(b"\n", 1)
        print(f"undisturbed: {options.cases} cases, {duration:.2f} s, a table of {len(expected)} bytes", flush=True)
        kills, faults, kept, unfinished_files = 0, 0, 0, 0
        while kills < options.kills:
            out = folder / "killed"
            out.mkdir()
            partner = start(program, out, options.threads) if options.partner else None
            process = start(program, out, options.threads)
            moment = moments.uniform(0.0, duration)
            time.sleep(moment)
            process.send_signal(signal.SIGKILL)
            process.communicate()
            if process.returncode != -signal.SIGKILL:
                # Faster than the first: nothing was killed.
                if partner:
                    finish(partner)
                shutil.rmtree(out)
                continue
            kills += 1
            if partner:
                finish(partner)
            parts = out / "parts"
            names = [path.name for path in parts.iterdir()] if parts.exists() else []
            unfinished = [name for name in names if name.startswith(".unfinished-")]
            stored = len(names) - len(unfinished)
            kept += stored
            unfinished_files += len(unfinished)
            problems = []
            # The partner's table, or that of the killed run where it came so far.
            before = (out / "table.csv").read_bytes() if (out / "table.csv").exists() else b""
            if before not in (b"", expected, expected + rows):
                problems.append("the table is torn")
            if len(unfinished) > options.threads:
                problems.append(f"{len(unfinished)} unfinished files")
            messages = finish(start(program, out, options.threads))
            taken = len(re.findall("already computed", messages))
            if taken != stored:
                problems.append(f"{taken} of {stored} stored cases were taken")
            if "again" in messages:
                problems.append("a stored case was damaged")
            if (out / "table.csv").read_bytes() != (before + rows if before else expected):
                problems.append("the table differs")
            faults += bool(problems)
            print(f"{kills:2}: after {moment:5.2f} s, {stored:3} cases stored, {len(unfinished)} unfinished files: {', '.join(problems) or 'the same'}", flush=True)
            shutil.rmtree(out)
        print(f"{kills} kills: {kept} stored cases taken up, {unfinished_files} unfinished files left behind, {faults} runs that differ")
        sys.exit(bool(faults))


if __name__ == "__main__":
    main()
