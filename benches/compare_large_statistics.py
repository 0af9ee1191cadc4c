#!/usr/bin/env python3
"""Times alnm's statistics on large data beside LightGBM, numpy, scipy, glmnet, R and pROC: seconds, ratio, peak memory.

    apt-get install r-base-core r-cran-glmnet r-cran-proc
    python3 -m venv venv && venv/bin/pip install numpy scipy lightgbm==4.7.0
    cargo build --release -p alnm-benches --bin repeat_large
    venv/bin/python benches/compare_large_statistics.py --alnm target/release/repeat_large

The data come from a fixed seed. Each call runs in a process of its own, so that its peak memory is its own (data included), and
reports medians of `--repeats` calls after one to warm up, of the time and of the processor time of all threads, which other
programs on the machine change less; the sides take turns, `--rounds` times, and medians over the rounds
are printed. Two threads each (OMP_NUM_THREADS, OPENBLAS_NUM_THREADS, RAYON_NUM_THREADS, num_threads); glmnet, fisher.test and
pROC use one. The last column holds a value of both sides: p, a correlation, the share of the deviance explained at the last
penalty, the mean or the last prediction, the lower limit of the area. Fisher's test is R's with `workspace = 2e7`. How far
both LASSO paths are from their optimality conditions is said on standard error.

With `--growth` alnm alone runs the calls on tables from 212 rows on, and time and peak memory stand beside the size of the table.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

THREADS = "2"
TABLE = [[3, 2, 6, 2, 1, 5], [3, 3, 2, 1, 4, 3], [3, 4, 5, 1, 5, 6], [6, 7, 4, 4, 2, 3], [2, 3, 4, 2, 3, 1]]
# Call: data, rows, columns with the labels, the other side.
CALLS = {
    "fisher": ("table", 6, 5, "R fisher.test"),
    "pearson": ("matrix", 1000, 5000, "numpy corrcoef"),
    "spearman": ("matrix", 1000, 5000, "scipy rankdata, numpy corrcoef"),
    "lasso": ("wide", 2000, 5001, "glmnet"),
    "lasso to 1e-2": ("wide", 2000, 5001, "glmnet"),
    "boosting": ("long", 100_000, 51, "LightGBM"),
    "predictions": ("long", 100_000, 51, "LightGBM"),
    "delong": ("scores", 1_000_000, 2, "pROC"),
}

# Call: rows and columns from a clinical cohort to a registry.
GROWTH = {
    "pearson": [(212, 926), (1000, 2000), (1000, 5000), (10_000, 2000)],
    "spearman": [(212, 926), (1000, 2000), (1000, 5000), (10_000, 2000)],
    "lasso": [(212, 927), (1000, 2501), (2000, 5001), (10_000, 1001)],
    "lasso to 1e-2": [(212, 927), (1000, 2501), (2000, 5001), (10_000, 1001)],
    "boosting": [(212, 51), (2000, 51), (20_000, 51), (100_000, 51)],
    "predictions": [(212, 51), (2000, 51), (20_000, 51), (100_000, 51)],
    "delong": [(212, 2), (10_000, 2), (100_000, 2), (1_000_000, 2)],
}

R_SIDE = r"""
arguments <- commandArgs(TRUE)
call <- arguments[1]; rows <- as.integer(arguments[3]); columns <- as.integer(arguments[4]); repeats <- as.integer(arguments[5])
m <- matrix(readBin(arguments[2], "double", rows * columns), rows)
if (call == "fisher") { f <- function() fisher.test(m, workspace = 2e7)$p.value }
if (startsWith(call, "lasso")) {
  suppressMessages(library(glmnet)); x <- m[, -1]; y <- m[, 1]
  f <- function() tail(glmnet(x, y, family = "binomial")$dev.ratio, 1)
}
if (call == "delong") {
  suppressMessages(library(pROC))
  f <- function() as.numeric(ci.auc(roc(m[, 1], m[, 2], levels = c(0, 1), direction = "<", quiet = TRUE), method = "delong"))[1]
}
value <- if (repeats > 1) f()
times <- sapply(seq_len(repeats), function(i) { s <- proc.time(); value <<- f(); s <- proc.time() - s; c(s[["elapsed"]], s[["user.self"]] + s[["sys.self"]]) })
status <- readLines("/proc/self/status")
peak <- as.numeric(gsub("[^0-9]", "", status[grepl("VmHWM", status)])) / 1024
cat(sprintf("%e %e %.1f %.15e\n", median(times[1, ]), median(times[2, ]), peak, value))
if (startsWith(call, "lasso")) {
  path <- glmnet(x, y, family = "binomial")
  scaled <- scale(x) / sqrt(1 - 1 / nrow(x))
  violation <- sapply(seq_along(path$lambda), function(k) {
    gradient <- drop(crossprod(scaled, y - predict(path, x, s = path$lambda[k], type = "response"))) / nrow(x)
    sign <- sign(path$beta[, k])
    max(ifelse(sign == 0, pmax(abs(gradient) - path$lambda[k], 0), abs(gradient - path$lambda[k] * sign))) / path$lambda[k]
  })
  message(sprintf("%s: glmnet violates the conditions by up to %.2e lambda, in the median %.2e", call, max(violation), median(violation)))
}
"""


def generate(kind, rows, columns, path):
    import numpy as np

    generator = np.random.default_rng(20261129)
    if kind == "table":
        data = np.array(TABLE, dtype=float).T
    elif kind == "scores":
        y = generator.integers(0, 2, rows)
        data = np.column_stack([y, generator.normal(size=rows) + y])
    else:
        features = columns - (kind != "matrix")
        factors = 30
        loadings = generator.normal(size=(factors, features)) * (generator.random((factors, features)) < 3 / factors)
        data = generator.normal(size=(rows, factors)) @ loadings + generator.normal(size=(rows, features))
        if kind != "matrix":
            z = (data[:, :20] - data[:, :20].mean(0)) / data[:, :20].std(0)
            effect = z @ (0.5 * generator.choice([-1, 1], 20)) + (z[:, 0] * z[:, 1] if kind == "long" else 0)
            data = np.column_stack([generator.random(rows) < 1 / (1 + np.exp(-effect)), data])
    np.asfortranarray(data, dtype="<f8").T.tofile(path)


def python_side(call, path, rows, columns, repeats):
    import time

    import numpy as np

    data = np.ascontiguousarray(np.fromfile(path, dtype="<f8").reshape(columns, rows).T)
    if call == "pearson":
        run = lambda: np.corrcoef(data, rowvar=False)[-1, 0]
    elif call == "spearman":
        from scipy.stats import rankdata

        run = lambda: np.corrcoef(rankdata(data, axis=0), rowvar=False)[-1, 0]
    else:
        import lightgbm

        y, x = data[:, 0].copy(), np.ascontiguousarray(data[:, 1:])
        del data
        params = {"objective": "binary", "verbose": -1, "num_threads": int(THREADS), "deterministic": True}
        train = lambda: lightgbm.train(params, lightgbm.Dataset(x, y), 100)
        if call == "boosting":
            run = train
        else:
            model = train()
            run = lambda: model.predict(x)[-1]
    times, processor_times, value = [], [], run()
    for _ in range(repeats):
        start, processor_start = time.perf_counter(), time.process_time()
        value = run()
        times.append(time.perf_counter() - start)
        processor_times.append(time.process_time() - processor_start)
    if call == "boosting":
        value = value.predict(x).mean()
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
    print(f"{statistics.median(times):e} {statistics.median(processor_times):e} {peak:.1f} {value:.15e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--alnm", required=True, help="the program repeat_large, built with --release")
    parser.add_argument("--only", default="", help="calls whose name contains this")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--growth", action="store_true", help="alnm alone, on tables of several sizes")
    arguments = parser.parse_args()
    environment = {**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"), THREADS)}

    def side(command):
        done = subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True, env=environment)
        return [float(field) for field in done.stdout.split()]

    if arguments.growth:
        print("| call | table, MiB | s | processor s | peak MiB |")
        print("|---|---|---|---|---|")
        with tempfile.TemporaryDirectory() as folder:
            for call, sizes in GROWTH.items():
                for rows, columns in sizes if arguments.only in call else []:
                    path = Path(folder) / "table.bin"
                    generate(CALLS[call][0], rows, columns, path)
                    runs = [side([arguments.alnm, call, path, rows, columns, arguments.repeats]) for _ in range(arguments.rounds)]
                    seconds, processor, peak = (statistics.median(run[field] for run in runs) for field in range(3))
                    size = path.stat().st_size / 2**20
                    print(f"| {call}, {rows} x {columns} | {size:.3g} | {seconds:.3g} | {processor:.3g} | {peak:.0f} |", flush=True)
        return

    print("| call | alnm s | beside s | ratio | processor s: alnm, beside | ratio | peak MiB: alnm, beside | values |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "side.R"
        script.write_text(R_SIDE)
        for call, (kind, rows, columns, other) in CALLS.items():
            if arguments.only not in call:
                continue
            path = Path(folder) / f"{kind}.bin"
            if not path.exists():
                generate(kind, rows, columns, path)
            ours, theirs = [], []
            for _ in range(arguments.rounds):
                task = [call, path, rows, columns]
                ours.append(side([arguments.alnm, *task, arguments.repeats]))
                if other.split()[0] in ("numpy", "scipy", "LightGBM"):
                    theirs.append(side([sys.executable, __file__, "--side", *task, arguments.repeats]))
                else:
                    theirs.append(side(["Rscript", script, *task, 1 if call == "fisher" else arguments.repeats]))
            a, b = (statistics.median(run[0] for run in runs) for runs in (ours, theirs))
            c, d = (statistics.median(run[1] for run in runs) for runs in (ours, theirs))
            memory = ", ".join(f"{max(run[2] for run in runs):.0f}" for runs in (ours, theirs))
            values = ", ".join(f"{runs[-1][3]:.9g}" for runs in (ours, theirs))
            print(f"| {call}, {rows} x {columns} | {a:.3g} | {b:.3g} {other} | {b / a:.2f} | {c:.3g}, {d:.3g} | {d / c:.2f} | {memory} | {values} |", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--side"]:
        python_side(sys.argv[2], sys.argv[3], *map(int, sys.argv[4:7]))
    else:
        main()
