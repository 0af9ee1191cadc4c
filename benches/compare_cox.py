"""Cox regression beside R's coxph, in one run: `compare_cox.py --alnm target/release/repeat_cox [--rows 100000] [--columns 20]`.

Writes a cohort, runs both in turn (two threads each are allowed; coxph uses one), and prints medians, the ratio, and the largest
relative difference of the coefficients.
"""

import argparse
import os
import pathlib
import subprocess
import tempfile

R_SIDE = r"""
suppressMessages(library(survival))
arguments <- commandArgs(TRUE)
d <- as.matrix(read.csv(arguments[1]))
y <- Surv(d[, 1], d[, 2])
x <- d[, -(1:2)]
repeats <- as.integer(arguments[2])
frame <- data.frame(x)
frame$y <- y
times <- numeric(repeats)
for (i in seq_len(repeats)) {
  start <- proc.time()[["elapsed"]]
  fit <- coxph(y ~ ., frame)
  times[i] <- proc.time()[["elapsed"]] - start
}
inner <- numeric(repeats)
for (i in seq_len(repeats)) {
  start <- proc.time()[["elapsed"]]
  coxph.fit(x, y, NULL, NULL, NULL, coxph.control(), NULL, "efron", NULL)
  inner[i] <- proc.time()[["elapsed"]] - start
}
cat(sprintf("%.9g %.9g\n", median(times), median(inner)))
cat(sprintf("%.17g", coef(fit)), sep = "\n")
cat("\n")
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alnm", required=True, help="the program repeat_cox, built with --release")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    environment = {**os.environ, "RAYON_NUM_THREADS": "2", "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}
    with tempfile.TemporaryDirectory() as folder:
        data = pathlib.Path(folder) / "cohort.csv"
        subprocess.run([options.alnm, "write", data, str(options.rows), str(options.columns)], check=True)
        script = pathlib.Path(folder) / "cox.R"
        script.write_text(R_SIDE)

        def run(command):
            done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
            lines = done.stdout.split("\n")
            return [float(v) for v in lines[0].split()], [float(v) for v in lines[1:] if v]

        ours, our_coefficients = run([options.alnm, "fit", data, str(options.repeats)])
        theirs, their_coefficients = run(["Rscript", script, data, str(options.repeats)])
    difference = max(abs(a - b) / abs(b) for a, b in zip(our_coefficients, their_coefficients, strict=True))
    print(f"{options.rows} rows, {options.columns} columns")
    print(f"alnm-models   {ours[0]:.3f} s, peak memory {ours[1]:.0f} MiB")
    print(f"coxph         {theirs[0]:.3f} s   ratio {theirs[0] / ours[0]:.1f}")
    print(f"coxph.fit     {theirs[1]:.3f} s   ratio {theirs[1] / ours[0]:.1f} (without formula and model frame)")
    print(f"largest relative difference of a coefficient {difference:.1e}")


if __name__ == "__main__":
    main()
