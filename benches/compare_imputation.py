#!/usr/bin/env python3
"""Times 50 imputations of 333 rows x 20 columns by alnm-imputation beside R's mice, on 2 threads each, with peak memory.

    apt-get install r-base-core r-cran-mice
    cargo build --release -p alnm-benches --bin repeat_imputation
    python3 benches/compare_imputation.py --alnm target/release/repeat_imputation

Two tables are generated from a fixed seed, one of numbers only and one of numbers, binary, nominal and ordered columns; each
lacks a fifth of its values in every column. Both sides read the same file and run mice's default methods (pmm, logreg,
polyreg, polr) for 5 iterations. mice runs as two forked processes of 25 imputations each, which is what futuremice does
without its set-up. Times are those of the imputation itself, in-process, medians over the rounds, in which the sides take
turns; memory is the largest resident size of a process, of which mice has two at a time.
"""

import argparse
import os
import random
import re
import statistics
import subprocess
import tempfile
from pathlib import Path

MICE = """
suppressPackageStartupMessages(library(mice))
arguments <- commandArgs(TRUE)
data <- read.csv(arguments[1], check.names = FALSE)
kinds <- sub(" .*", "", names(data))
names(data) <- sub(".* ", "", names(data))
for (j in which(kinds != "numeric")) data[[j]] <- factor(data[[j]], ordered = kinds[j] == "ordinal")
each <- as.integer(arguments[2]) / 2
seconds <- system.time(done <- parallel::mclapply(1:2, function(i) {
  imputed <- mice(data, m = each, maxit = as.integer(arguments[3]), seed = i, printFlag = FALSE)
  status <- readLines("/proc/self/status")
  list(imputed, status[grepl("VmHWM", status)])
}, mc.cores = 2))[["elapsed"]]
stopifnot(all(sapply(done, function(d) inherits(d[[1]], "mids"))))
cat(seconds, max(sapply(done, function(d) as.numeric(gsub("[^0-9]", "", d[[2]])))), "\\n")
"""


def generate(path, kinds, rows=333):
    """Correlated columns of the given kinds, with a fifth of the values missing."""
    generator = random.Random(20240611)
    loadings = [[generator.gauss(0, 1) for _ in range(3)] for _ in kinds]
    with open(path, "w") as out:
        print(",".join(f"{kind} x{j}" for j, kind in enumerate(kinds)), file=out)
        for _ in range(rows):
            factors = [generator.gauss(0, 1) for _ in range(3)]
            fields = []
            for kind, loading in zip(kinds, loadings):
                value = sum(f * l for f, l in zip(factors, loading)) / 1.7 + generator.gauss(0, 1)
                code = {"binary": int(value > 0), "ordinal": sum(value > cut for cut in (-1, 0, 1.2))}.get(kind)
                if kind == "nominal":
                    code = max(range(4), key=lambda level: generator.gauss(0.5 * value * (level - 1.5), 1))
                fields.append("NA" if generator.random() < 0.2 else f"{value:.6f}" if code is None else str(code))
            print(",".join(fields), file=out)


def peak(command, environment=None):
    """Output of a command and its largest resident size in MB."""
    done = subprocess.run(["/usr/bin/env", "python3", "-c", PEAK, *command], capture_output=True, text=True, check=True, env=environment)
    return done.stdout, float(re.search(r"peak (\d+)", done.stderr)[1]) / 1024


PEAK = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:])
print("peak", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(done.returncode)
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--alnm", required=True, help="the program repeat_imputation, built with --release")
    parser.add_argument("--imputations", type=int, default=50)
    parser.add_argument("--iterations", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    sizes = [str(arguments.imputations), str(arguments.iterations)]
    tables = {
        "20 numeric": ["numeric"] * 20,
        "14 numeric, 4 binary, 1 nominal, 1 ordinal": ["numeric"] * 14 + ["binary"] * 4 + ["nominal", "ordinal"],
    }
    print("| table | mice | alnm | ratio | memory of a mice process | memory of alnm |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "mice.R"
        script.write_text(MICE)
        for name, kinds in tables.items():
            path = Path(folder) / "table.csv"
            generate(path, kinds)
            theirs, ours, their_memory, our_memory = [], [], [], []
            for _ in range(arguments.rounds):
                out, _ = peak(["Rscript", str(script), str(path), *sizes])
                seconds, memory = map(float, out.split())
                theirs.append(seconds)
                their_memory.append(memory / 1024)
                out, memory = peak([arguments.alnm, str(path), *sizes], {**os.environ, "RAYON_NUM_THREADS": "2"})
                ours.append(statistics.median(map(float, out.split())))
                our_memory.append(memory)
            a, b = statistics.median(theirs), statistics.median(ours)
            print(f"| {name} | {a:.2f} s | {b:.3f} s | {a / b:.0f}x | {max(their_memory):.0f} MB | {max(our_memory):.0f} MB |", flush=True)


if __name__ == "__main__":
    main()
