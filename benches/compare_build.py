#!/usr/bin/env python3
"""What it costs to build the command `alnm` and each library crate, in one or more checkouts, one after the other.

    python3 benches/compare_build.py [--command-only] CHECKOUT [CHECKOUT ...]

In each checkout the command is built from nothing (`cargo build --release --locked -p alnm-cli --timings` in an empty
target folder), and then the library crates with their default features. Printed are, for the command, the wall time,
the seconds of all compilation units, the number of crates (`cargo tree -e normal`) and the size of the binary; for each
library crate the number of crates and the seconds of the units of itself and of all crates that it stands on. With
several checkouts, the last column is the last over the first.

Needs cargo and the crates in its cache (`cargo fetch`). Nothing else may run on the machine.
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


def crates(checkout, package, edges="normal"):
    """Names and versions of the packages that `package` is built from, itself included."""
    tree = ["cargo", "tree", "--locked", "-e", edges, "--prefix", "none", "-p", package]
    lines = subprocess.run(tree, cwd=checkout, check=True, capture_output=True, text=True).stdout.splitlines()
    return {tuple(line.split()[:2]) for line in lines if line}


def build(checkout, target, packages):
    """Builds packages and returns the wall time and the seconds of each unit."""
    command = ["cargo", "build", "--release", "--locked", "--timings", *(f"-p{package}" for package in packages)]
    environment = {**os.environ, "CARGO_TARGET_DIR": str(target), "CARGO_INCREMENTAL": "0"}
    start = time.monotonic()
    subprocess.run(command, cwd=checkout, check=True, capture_output=True, env=environment)
    wall = time.monotonic() - start
    page = max((target / "cargo-timings").glob("cargo-timing-*.html"), key=lambda path: path.stat().st_mtime)
    units = json.loads(re.search(r"UNIT_DATA = (\[.*?\]);\n", page.read_text(), re.S).group(1))
    seconds = {}
    for unit in units:
        name = (unit["name"], f"v{unit['version']}")
        seconds[name] = seconds.get(name, 0.0) + unit["duration"]
    # What was built before stands in the list with no time.
    return wall, {name: duration for name, duration in seconds.items() if duration > 0}


def measure(checkout, libraries):
    target = Path(tempfile.mkdtemp(prefix="alnm-build-"))
    try:
        wall, units = build(checkout, target, [COMMAND])
        figures = {
            (COMMAND, "wall (s)"): wall,
            (COMMAND, "units (s)"): sum(units.values()),
            (COMMAND, "crates"): len(crates(checkout, COMMAND)),
            (COMMAND, "binary (MB)"): (target / "release" / "alnm").stat().st_size / 1e6,
        }
        # Each library as a user builds it, with its default features; what the command has built already stays.
        for library in libraries:
            # A crate that is built again, with other features, counts as it was built last.
            units.update(build(checkout, target, [library])[1])
            built_from = crates(checkout, library, "normal,build")
            figures[library, "units (s)"] = sum(seconds for name, seconds in units.items() if name in built_from)
            figures[library, "crates"] = len(crates(checkout, library))
        return figures
    finally:
        shutil.rmtree(target)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkouts", nargs="+", type=Path)
    parser.add_argument("--command-only", action="store_true", help="leave the library crates out")
    arguments = parser.parse_args()
    libraries = [] if arguments.command_only else LIBRARIES
    results = [measure(checkout, libraries) for checkout in arguments.checkouts]
    for package, figure in results[0]:
        values = [result[package, figure] for result in results]
        shown = "  ".join(f"{value:10.1f}" if isinstance(value, float) else f"{value:10d}" for value in values)
        ratio = f"  {values[-1] / values[0]:6.3f}" if len(values) > 1 else ""
        print(f"{package:16s} {figure:12s} {shown}{ratio}")


if __name__ == "__main__":
    main()
