"""Kills a quick run of the study with SIGKILL at random moments, takes each up again, and compares everything it leaves with an undisturbed run.

    cargo build --release --example reproduce_study
    python3 examples/scripts/kill_and_resume.py target/release/examples/reproduce_study --kills 10
    python3 examples/scripts/kill_and_resume.py target/release/examples/reproduce_study --rounds 3

Every kill of --kills is of a run of its own in an empty folder. A round of --rounds is one folder whose run is killed at a random moment of each step in
turn, the last one (report and files) included, and goes on from there each time. Compared byte by byte: all files of the output folder but costs.json and run.log, which hold
times, and the folder of finished steps. Python's standard library only; status 1 when a file differs.
"""

import argparse
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

# A line of a finished step: its name, seconds, and where it is known the memory.
FINISHED = re.compile(r"(\S.*?) +[0-9.]+ s(?:, peak memory.*)?$")


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


class Watched:
    """A run of which it is known which step it is in, by the lines that it writes when it has finished one."""

    def __init__(self, command, out):
        self.process = subprocess.Popen([*command, "--out", str(out)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.finished, self.moments, self.other = [], [time.monotonic()], []
        self.changed = threading.Condition()
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        for line in self.process.stderr:
            found = FINISHED.match(line)
            with self.changed:
                if found:
                    self.finished.append(found[1])
                    self.moments.append(time.monotonic())
                else:
                    self.other.append(line)
                self.changed.notify()
        with self.changed:
            self.moments.append(time.monotonic())
            self.changed.notify()

    def wait_for(self, steps):
        """Until so many steps are finished, or the run has ended."""
        with self.changed:
            self.changed.wait_for(lambda: len(self.finished) >= steps or len(self.moments) > len(self.finished) + 1)

    def end(self):
        """Waits for the end; the status."""
        status = self.process.wait()
        self.reader.join()
        if status not in (0, -signal.SIGKILL):
            sys.exit(f"{' '.join(self.process.args)} ended with {status}: {''.join(self.other)}")
        return status

    def kill_after(self, steps, seconds):
        """Kills so long after so many steps are finished; the step it was in, none where it ended before."""
        self.wait_for(steps)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGKILL)
        if self.end() == 0:
            return None
        return len(self.finished)


def rounds(command, folder, count, moments):
    """Kills a run in each of its steps in turn, and takes it up again each time; how many rounds end otherwise than an undisturbed run."""
    undisturbed = Path(folder) / "undisturbed"
    watched = Watched(command, undisturbed)
    watched.end()
    expected = left_by(undisturbed)
    steps = [*watched.finished, "report and files"]
    lengths = [end - begin for begin, end in zip(watched.moments, watched.moments[1:])]
    print(f"undisturbed: {sum(lengths):.1f} s, {len(steps)} steps, {len(expected)} files", flush=True)
    faults = 0
    for number in range(1, count + 1):
        out = Path(folder) / "killed"
        killed = []
        for step, length in enumerate(lengths):
            at = Watched(command, out).kill_after(step, moments.uniform(0.0, length))
            if at is not None:
                killed.append(steps[at])
        run(command, out)
        found = left_by(out)
        differing = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
        faults += bool(differing)
        in_step = ", ".join(f"{step} {killed.count(step)}" for step in steps if step in killed)
        print(f"round {number}: {len(killed)} kills ({in_step}): {'the same' if not differing else 'DIFFERENT ' + ', '.join(differing)}", flush=True)
        shutil.rmtree(out)
    print(f"{count - faults} of {count} rounds the same")
    return faults


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
    parser.add_argument("--rounds", type=int, help="kill in every step instead, in so many rounds")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    options = parser.parse_args()
    if options.study:
        command = [options.program, "study", options.study, "--quick"]
    else:
        command = [options.program, "--quick", "--patients", str(options.patients)]
    if options.threads:
        command += ["--threads", str(options.threads)]
    moments = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        if options.rounds:
            sys.exit(rounds(command, folder, options.rounds, moments) > 0)
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
