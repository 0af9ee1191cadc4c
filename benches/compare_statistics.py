#!/usr/bin/env python3
"""Times alnm-stats, alnm-selection and alnm-models beside R and Python on the same data, and prints medians and ratios.

    apt-get install r-base-core r-cran-glmnet r-cran-proc r-cran-caret r-cran-psych r-cran-rms
    python3 -m venv venv && venv/bin/pip install numpy pandas scikit-learn lightgbm mrmr-selection
    cargo build --release -p alnm-benches --bin repeat_statistics
    venv/bin/python benches/compare_statistics.py --alnm target/release/repeat_statistics

The data are generated from a fixed seed and written as CSV; every side reads the same files. R and alnm take turns, `--rounds` times; each
measures its calls in-process, after one call to warm up, and reports the median; the figures are medians over the rounds. R and
LightGBM use one thread, as they do by default or as set here; alnm uses the threads of the machine (`--threads` sets their number).
Debian has no package of dcurves, ResourceSelection, Boruta, mRMRe and logistf, so they are not timed.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


def generate(folder):
    """A cohort of 926 correlated features, two readings of 30 patients, and 100,000 scores."""
    import numpy as np
    import pandas as pd

    generator = np.random.default_rng(20240611)
    rows, features, factors = 212, 926, 30
    loadings = generator.normal(size=(factors, features)) * (generator.random((factors, features)) < 3 / factors)
    values = generator.normal(size=(rows, factors)) @ loadings + 0.3 * generator.normal(size=(rows, features))
    standardised = (values - values.mean(0)) / values.std(0)
    effect = standardised[:, :6] @ (0.5 * np.array([1, -1, 0.8, -0.8, 0.6, -0.6]))
    outcome = (generator.random(rows) < 1 / (1 + np.exp(-effect))).astype(int)
    fold = np.empty(rows, dtype=int)
    for label in (0, 1):
        members = np.flatnonzero(outcome == label)
        fold[generator.permutation(members)] = np.arange(len(members)) % 10 + 1
    names = [f"f{j:03d}" for j in range(features)]
    cohort = pd.DataFrame(values, columns=names)
    cohort.insert(0, "y", outcome)
    cohort.insert(1, "fold", fold)
    cohort.to_csv(folder / "cohort.csv", index=False, float_format="%.9g")
    first = values[:30]
    second = first + 0.4 * generator.normal(size=first.shape)
    for name, reading in (("first", first), ("second", second)):
        pd.DataFrame(reading, columns=names).to_csv(folder / f"{name}.csv", index=False, float_format="%.9g")
    labels = generator.integers(0, 2, 100_000)
    pd.DataFrame({"y": labels, "score": generator.normal(size=100_000) + labels}).to_csv(folder / "large.csv", index=False, float_format="%.9g")


def median_time(call, repeats):
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def python_side(folder):
    import lightgbm
    import numpy as np
    import pandas as pd
    from mrmr import mrmr_classif
    from sklearn.metrics import average_precision_score, roc_auc_score

    cohort = pd.read_csv(folder / "cohort.csv")
    y, x = cohort["y"], cohort.drop(columns=["y", "fold"])
    params = {"objective": "binary", "verbose": -1, "num_threads": 1, "deterministic": True, "force_col_wise": True}

    def boost(columns):
        data = np.ascontiguousarray(x.to_numpy()[:, :columns])
        return lambda: lightgbm.train(params, lightgbm.Dataset(data, y.to_numpy()), 100)

    fitted = boost(30)()
    thirty = np.ascontiguousarray(x.to_numpy()[:, :30])
    score = x["f000"].to_numpy()
    return {
        "boosting 212 x 30, 100 rounds": ("LightGBM", median_time(boost(30), 15)),
        "boosting 212 x 926, 100 rounds": ("LightGBM", median_time(boost(926), 3)),
        "boosting, predict 212 rows": ("LightGBM", median_time(lambda: fitted.predict(thirty), 50)),
        "mRMR FCQ p=926 K=30": ("mrmr-selection", median_time(lambda: mrmr_classif(x, y, K=30, show_progress=False, n_jobs=1), 3)),
        "ROC AUC n=212": ("scikit-learn", median_time(lambda: roc_auc_score(y, score), 50)),
        "average precision n=212": ("scikit-learn", median_time(lambda: average_precision_score(y, score), 50)),
    }


def command_side(command, package):
    """Runs a side that prints `name<TAB>seconds` a line; R adds the package as a third field."""
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    rows = (line.split("\t") for line in done.stdout.splitlines() if line.count("\t") >= 1)
    return {row[0]: (row[2] if len(row) > 2 else package, float(row[1])) for row in rows}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--alnm", type=Path, required=True, help="the built program `repeat_statistics`")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--only", default="", help="calls whose name contains this")
    parser.add_argument("--skip-r", action="store_true")
    parser.add_argument("--skip-python", action="store_true")
    arguments = parser.parse_args()
    os.environ["RAYON_NUM_THREADS"] = str(arguments.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        generate(folder)
        ours, theirs = {}, {}
        for _ in range(arguments.rounds):
            sides = [(ours, lambda: command_side([str(arguments.alnm), str(folder), arguments.only], "alnm"))]
            if not arguments.skip_r:
                sides.append((theirs, lambda: command_side(["Rscript", str(HERE / "compare_statistics.R"), str(folder), arguments.only], "R")))
            if not arguments.skip_python:
                sides.append((theirs, lambda: python_side(folder)))
            for collected, run in sides:
                for call, (package, seconds) in run().items():
                    collected.setdefault(call, (package, []))[1].append(seconds)
    print(f"{'call':58} {'alnm ms':>10} {'ms':>10} {'ratio':>8}  beside   ({arguments.rounds} rounds, {arguments.threads} threads)")
    for call, (_, seconds) in ours.items():
        mine = statistics.median(seconds)
        if call in theirs:
            package, other = theirs[call][0], statistics.median(theirs[call][1])
            print(f"{call:58} {mine * 1e3:10.4f} {other * 1e3:10.3f} {other / mine:7.1f}x  {package}")
        else:
            print(f"{call:58} {mine * 1e3:10.4f}")
    missing = [call for call in theirs if call not in ours and arguments.only in call]
    if missing:
        sys.exit(f"not measured on our side: {missing}")


if __name__ == "__main__":
    main()
