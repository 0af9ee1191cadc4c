"""Kills a quick run of the study with SIGKILL at random moments, takes each up again, and compares everything it leaves with an undisturbed run.

    cargo build --release --example reproduce_study
    python3 examples/scripts/kill_and_resume.py target/release/examples/reproduce_study --kills 10

Every kill is of a run of its own in an empty folder. Compared byte by byte: all files of the output folder but costs.json and run.log, which hold
times, and the folder of finished steps. Python's standard library only; status 1 when a file differs.
"""

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def run(command, out, seconds=None):
    """Runs to the end, or kills after so many seconds; the exit status, -9 when killed."""
    process = subprocess.Popen([*command, "--out", str(out)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        _, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        _, errors = process.communicate()
    if process.returncode not in (0, -signal.SIGKILL):
        sys.exit(f"{' '.join(command)} ended with {process.returncode}: {errors.decode()}")
    return process.returncode


def left_by(out):
    """Contents of every file that has to be the same."""
    files = (path for path in sorted(out.rglob("*")) if path.is_file())
    kept = (path for path in files if path.name not in ("costs.json", "run.log") and path.relative_to(out).parts[0] != "steps")
    return {str(path.relative_to(out)): path.read_bytes() for path in kept}


def state(out):
    """How far a killed run came."""
    if (out / "cohort").exists() and not (out / "cohort/simulation.json").exists():
        return f"cohort, {len(list((out / 'cohort/masks').glob('*_reader1.nii.gz')))} patients"
    steps = {folder.name: len(list(folder.glob("*.json"))) for folder in sorted((out / "steps").glob("*"))}
    return "cohort whole; steps " + (", ".join(f"{name} {count}" for name, count in steps.items()) or "none")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--patients", type=int, default=120, help="of the simulated cohort")
    parser.add_argument("--study", metavar="COHORT", help="the program is alnm, and runs this cohort folder")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    options = parser.parse_args()
    if options.study:
        command = [options.program, "study", options.study, "--quick"]
    else:
        command = [options.program, "--quick", "--patients", str(options.patients)]
    moments = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        undisturbed = Path(folder) / "undisturbed"
        start = time.monotonic()
        run(command, undisturbed)
        duration = time.monotonic() - start
        expected = left_by(undisturbed)
        print(f"undisturbed: {duration:.1f} s, {len(expected)} files", flush=True)
        faults, kills = 0, 0
        while kills < options.kills:
            out = Path(folder) / "killed"
            moment = moments.uniform(0.0, duration)
            if run(command, out, moment) == 0:
                # Faster than the first: nothing was killed.
                shutil.rmtree(out)
                continue
            kills += 1
            where = state(out)
            run(command, out)
            found = left_by(out)
            differing = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
            faults += bool(differing)
            print(f"{kills:2}: after {moment:5.1f} s ({where}): {'the same' if not differing else 'DIFFERENT ' + ', '.join(differing)}", flush=True)
            shutil.rmtree(out)
    print(f"{kills - faults} of {kills} the same")
    sys.exit(faults > 0)


if __name__ == "__main__":
    main()
