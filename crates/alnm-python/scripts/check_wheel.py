"""Install a wheel under several Pythons, run the tests there, and look at what kind of wheel it is.

    python scripts/check_wheel.py WHEEL PYTHON ...

Each PYTHON is an interpreter of 3.9 or newer that makes environments. The tests run in an environment of its own with
the newest NumPy, SimpleITK and pytest that are to be had for it; tests that need more are skipped. Where abi3audit and
auditwheel are installed beside the Python that runs this script, their verdicts follow.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent / "tests"


def checked(python, wheel):
    """The version of a Python, and how the tests ended there."""
    with tempfile.TemporaryDirectory() as folder:
        environment = Path(folder) / "venv"
        subprocess.run([python, "-m", "venv", environment], check=True)
        inside = environment / "bin/python"
        install = [inside, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--only-binary", ":all:"]
        made = subprocess.run([*install, wheel, "numpy", "SimpleITK", "pytest"], capture_output=True, text=True)
        facts = [inside, "-c", "import platform; print(platform.python_version())"]
        version = subprocess.run(facts, check=True, capture_output=True, text=True).stdout.strip()
        if made.returncode:
            return version, f"not installed: {made.stderr.strip().splitlines()[-1]}", False
        done = subprocess.run(
            [inside, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(TESTS)],
            cwd=folder, capture_output=True, text=True,
        )  # fmt: skip
        last = re.sub(r"^=+ | =+$", "", done.stdout.strip().splitlines()[-1])
        if done.returncode:
            print(done.stdout[-4000:], done.stderr[-1000:])
        return version, last, done.returncode == 0


def verdict(tool, *arguments):
    """What a tool beside this Python says, if it is there."""
    program = shutil.which(tool, path=str(Path(sys.executable).parent)) or shutil.which(tool)
    if program is None:
        return f"{tool} is not installed", True
    done = subprocess.run([program, *arguments], capture_output=True, text=True)
    return " ".join((done.stdout + done.stderr).split()), done.returncode == 0


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    wheel = Path(sys.argv[1]).resolve()
    print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB")
    good = wheel.stat().st_size <= 15e6
    for python in sys.argv[2:]:
        version, outcome, passed = checked(python, wheel)
        good &= passed
        print(f"{version}: {outcome}", flush=True)
    for tool, *arguments in (("abi3audit", "--strict", "--summary", str(wheel)), ("auditwheel", "show", str(wheel))):
        said, passed = verdict(tool, *arguments)
        good &= passed
        print(f"{tool}: {said}")
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
