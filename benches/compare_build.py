#!/usr/bin/env python3
"""What it costs to build the command `alnm` and each library crate, in one or more checkouts, one after the other.

    python3 benches/compare_build.py CHECKOUT [CHECKOUT ...] [--repeat N]

For each checkout the command is built from nothing (`cargo build --release --locked -p alnm-cli --timings` in an empty
target folder) and the script prints the wall time, the seconds of all compilation units, the number of crates
(`cargo tree -e normal`), and the size of the binary as it is installed. Library crates follow with their number of
crates and the seconds of the units that they and their dependencies took when each was built alone
(`cargo build --release --locked -p CRATE --timings`). With several checkouts, the last column is each over the first.

Needs cargo and the crates in its cache (`cargo fetch`); nothing else may run on the machine.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

COMMAND = "alnm-cli"
LIBRARIES = ["alnm-stats", "alnm-selection", "alnm-models", "alnm-imaging", "alnm-radiomics", "alnm-deep"]


def crates(checkout, package):
    """Number of packages that `package` is built from, itself included."""
    tree = ["cargo", "tree", "--locked", "-e", "normal", "--prefix", "none", "-p", package]
    lines = subprocess.run(tree, cwd=checkout, check=True, capture_output=True, text=True).stdout.splitlines()
    return len({" ".join(line.split()[:2]) for line in lines if line})


def build(checkout, package):
    """Wall seconds, seconds of all units, and bytes of the binary of a fresh release build."""
    target = Path(tempfile.mkdtemp(prefix="alnm-build-"))
    try:
        environment = {**os.environ, "CARGO_TARGET_DIR": str(target), "CARGO_INCREMENTAL": "0"}
        start = time.monotonic()
        subprocess.run(
            ["cargo", "build", "--release", "--locked", "--timings", "-p", package],
            cwd=checkout, check=True, capture_output=True, env=environment,
        )
        wall = time.monotonic() - start
        page = max((target / "cargo-timings").glob("cargo-timing-*.html"), key=lambda path: path.stat().st_mtime)
        units = json.loads(re.search(r"UNIT_DATA = (\[.*?\]);\n", page.read_text(), re.S).group(1))
        binary = target / "release" / "alnm"
        return wall, sum(unit["duration"] for unit in units), binary.stat().st_size if binary.exists() else None
    finally:
        shutil.rmtree(target)


def measure(checkout, package, repeat):
    runs = [build(checkout, package) for _ in range(repeat)]
    wall, units, size = min(runs)
    return {"crates": crates(checkout, package), "wall (s)": wall, "units (s)": units, "binary (MB)": size and size / 1e6}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkouts", nargs="+", type=Path)
    parser.add_argument("--repeat", type=int, default=1, help="builds per package; the fastest counts")
    arguments = parser.parse_args()

    for package in [COMMAND, *LIBRARIES]:
        results = [measure(checkout, package, arguments.repeat) for checkout in arguments.checkouts]
        for key in results[0]:
            values = [result[key] for result in results]
            if None in values:
                continue
            shown = "  ".join(f"{value:10.1f}" if isinstance(value, float) else f"{value:10d}" for value in values)
            ratio = f"  {values[-1] / values[0]:6.3f}" if len(values) > 1 else ""
            print(f"{package:16s} {key:12s} {shown}{ratio}", flush=True)


if __name__ == "__main__":
    main()
