"""Golden values of Platt's scaling by R's glm and of decision curves at a given prevalence by dcurves.

    python3 -m venv venv && venv/bin/pip install dcurves==1.1.7
    venv/bin/python make_calibration_peers.py        (in this folder; needs Rscript; writes calibration_peers.csv)
"""

import csv
import subprocess

import dcurves
import pandas as pd

PLATT = """
d <- read.csv("sample.csv", comment.char = "#")
n1 <- sum(d$event); n0 <- sum(1 - d$event)
d$target <- ifelse(d$event == 1, (n1 + 1) / (n1 + 2), 1 / (n0 + 2))
fit <- glm(target ~ value, quasibinomial, d, control = glm.control(epsilon = 1e-15, maxit = 100))
cat(sprintf("platt,intercept,%.17g\\nplatt,slope,%.17g\\n", coef(fit)[1], coef(fit)[2]))
cat(R.version.string, file = stderr())
"""

done = subprocess.run(["Rscript", "-e", PLATT], check=True, capture_output=True, text=True)
sample = pd.read_csv("sample.csv", comment="#")
thresholds = [0.05, 0.1, 0.2, 0.35, 0.5, 0.7]
with open("calibration_peers.csv", "w") as file:
    print(f"# {done.stderr.strip()}, dcurves 1.1.7", file=file)
    print("case,name,value", file=file)
    file.write(done.stdout)
    for prevalence in (0.1, 0.6):
        curve = dcurves.dca(data=sample, outcome="event", modelnames=["risk"], thresholds=thresholds, prevalence=prevalence)
        for kind in ("risk", "all"):
            of_kind = curve[curve["model"] == kind]
            for threshold, benefit in zip(of_kind["threshold"], of_kind["net_benefit"]):
                print(f"prevalence {prevalence},{kind}:{threshold:g},{benefit:.17g}", file=file)
