"""Bootstrap intervals by scipy on the resamples of this crate. Run beside resamples.csv, which the test `resamples_are_as_written`
of tests/golden.rs prints when ALNM_PRINT_RESAMPLES is set:

    ALNM_PRINT_RESAMPLES=1 cargo test -p alnm-stats --test golden resamples -- --nocapture
    pip install scipy==1.17.1 && python make_intervals.py

Writes sample.csv (invented numbers) and intervals.csv (statistic, method, level, lower, upper). The distribution of the bootstrap is handed
to scipy.stats.bootstrap, which adds the correction and the acceleration (BCa).
"""

import csv
from types import SimpleNamespace

import numpy as np
import scipy
from scipy.stats import bootstrap

generator = np.random.default_rng(3)
risk = np.round(generator.beta(2, 3, 40), 4)
event = (generator.random(40) < risk).astype(int)
value = np.round(np.exp(generator.normal(size=40)) * 10, 3)
with open("sample.csv", "w") as file:
    file.write("value,risk,event\n")
    file.writelines(f"{v},{r},{e}\n" for v, r, e in zip(value, risk, event))
resamples = np.array([[int(field) for field in row] for row in csv.reader(open("resamples.csv"))])

STATISTICS = {
    "mean": lambda x, axis=-1: np.mean(x, axis=axis),
    "variation": lambda x, axis=-1: np.std(x, axis=axis, ddof=1) / np.mean(x, axis=axis),
    # Has many ties among the resamples.
    "above ten": lambda x, axis=-1: np.mean(x > 10, axis=axis),
}
with open("intervals.csv", "w") as file:
    file.write(f"# scipy {scipy.__version__}\n")
    for name, statistic in STATISTICS.items():
        distribution = SimpleNamespace(bootstrap_distribution=statistic(value[resamples]))
        for method in ("percentile", "BCa"):
            for level in (0.9, 0.95):
                found = bootstrap((value,), statistic, n_resamples=0, confidence_level=level, method=method, bootstrap_result=distribution)
                interval = found.confidence_interval
                file.write(f"{name},{method},{level},{float(interval.low)!r},{float(interval.high)!r}\n")
