#!/usr/bin/env python3
"""Two builds of repeat_extraction on the same files, in turn: least wall and CPU time of a call, and whether all values have the same bits.

    cargo build --release -p alnm-benches --bin repeat_extraction      # in each checkout
    python3 benches/compare_extractions.py OLD/target/release/repeat_extraction target/release/repeat_extraction \\
        IMAGE MASK PARAMETERS --mode segment --rounds 5 --threads 2

Needs nothing but Python. The least times are compared, since whatever else the machine does only adds to them.
"""

import argparse
import json
import os
import subprocess


def calls(program, arguments):
    """The calls of one process, as [wall seconds, CPU seconds], and the values as text, which keeps their bits."""
    command = [program, arguments.image, arguments.mask, arguments.parameters, arguments.mode, str(arguments.seconds), "3"]
    environment = os.environ | {"RAYON_NUM_THREADS": str(arguments.threads)}
    output = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout
    result = json.loads(output, parse_float=str)
    return [[float(taken) for taken in call] for call in result["calls"]], result["values"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("old", "new", "image", "mask", "parameters"):
        parser.add_argument(name)
    parser.add_argument("--mode", choices=["segment", "voxel"], default="segment")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3, help="how long a process repeats in each round, at least")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    taken, values = {"old": [], "new": []}, {}
    for _ in range(arguments.rounds):
        for build in ("old", "new"):
            of_round, values[build] = calls(getattr(arguments, build), arguments)
            taken[build] += of_round
    least = {build: [min(call[kind] for call in taken[build]) for kind in (0, 1)] for build in taken}
    different = [name for name in values["old"].keys() | values["new"].keys() if values["old"].get(name) != values["new"].get(name)]
    for kind, name in enumerate(("wall", "CPU")):
        old, new = least["old"][kind] * 1e3, least["new"][kind] * 1e3
        print(f"{name}: {old:.3f} ms, {new:.3f} ms, {old / new:.2f} times as fast")
    print(f"{len(values['new'])} values, " + (f"{len(different)} differ: {sorted(different)[:5]}" if different else "all with the same bits"))


if __name__ == "__main__":
    main()
