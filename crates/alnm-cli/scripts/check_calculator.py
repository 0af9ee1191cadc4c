#!/usr/bin/env python3
"""Types random patients into the HTML calculator in headless Chromium, and compares its risk with `alnm predict`.

    python3 crates/alnm-cli/scripts/check_calculator.py --alnm target/release/alnm --model out/study/integrated_model.json

Needs `chromium` and no Python package. The page is opened from a file, without a network.
"""

import argparse
import csv
import json
import random
import re
import subprocess
import tempfile
from pathlib import Path

TYPING = """
<script>
const patients = %s;
const found = patients.map((values) => {
  inputs.forEach((input, i) => { input.value = values[i]; input.dispatchEvent(new Event("input", { bubbles: true })); });
  return [element("result").dataset.risk, element("warnings").textContent !== ""];
});
const answer = document.createElement("pre");
answer.id = "answer";
answer.textContent = JSON.stringify(found);
document.body.append(answer);
</script>
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--alnm", default="target/release/alnm")
    parser.add_argument("--model", required=True)
    parser.add_argument("--patients", type=int, default=200)
    parser.add_argument("--chromium", default="chromium")
    options = parser.parse_args()
    variables = json.loads(Path(options.model).read_text())["variables"]
    generator = random.Random(1)

    def value(variable):
        low, high = variable["training_minimum"], variable["training_maximum"]
        return round(generator.uniform(low - 0.2 * (high - low), high + 0.2 * (high - low)), 3)

    patients = [[value(v) for v in variables] for _ in range(options.patients)]
    with tempfile.TemporaryDirectory() as folder:
        page, table, risks = Path(folder, "calculator.html"), Path(folder, "patients.csv"), Path(folder, "risks.csv")
        subprocess.run([options.alnm, "calculator", options.model, page], check=True)
        with table.open("w", newline="") as file:
            csv.writer(file).writerows([[v["variable"]["name"] for v in variables], *patients])
        subprocess.run([options.alnm, "predict", options.model, "--patient", table, "--format", "csv", "--out", risks], check=True)
        page.write_text(page.read_text().replace("</body>", TYPING % json.dumps(patients) + "</body>"))
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", f"--user-data-dir={folder}/profile"]
        dom = subprocess.run([options.chromium, *flags, "--dump-dom", page.as_uri()], check=True, capture_output=True, text=True).stdout
        typed = json.loads(re.search(r'<pre id="answer">(.*?)</pre>', dom).group(1))
        with risks.open() as file:
            expected = list(csv.DictReader(file))
    largest = max(abs(float(risk) - float(row["risk"])) for (risk, _), row in zip(typed, expected))
    warned = sum(warning != (row["outside_training_range"] != "") for (_, warning), row in zip(typed, expected))
    print(f"{len(typed)} patients: largest difference of the risk {largest:.1e}, {warned} differing warnings")
    if largest > 1e-12 or warned or len(typed) != options.patients:
        raise SystemExit("the page and the command disagree")


if __name__ == "__main__":
    main()
