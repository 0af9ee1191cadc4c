"""Runs the quick study on shuffled outcomes, with values missing and imputed: areas under the curve have to be those of chance.

    cargo build --release --example reproduce_study
    python3 examples/scripts/shuffled_outcomes.py target/release/examples/reproduce_study --shuffles 20

One simulated cohort is written, a share of its diameters, ages and blood counts deleted at random, and [missing] policy = "impute" put into its
cohort.toml. Each shuffle is a run of its own, seed after seed; one that leaves a signature without features has no model, which is said, and another
one is drawn for it. The network has seen all training patients, which lifts the cross-fitted figures of models with DLScore, so that these are printed
and not judged; with --fold-networks it is fine-tuned in each fold anew, and they are. Images do not depend on outcomes, so that what they gave is taken
from the first run. Printed: for each model the mean of the areas with its standard error, cross-fitted and external, on the first completed table and
pooled over the imputations. Python's standard library only; status 1 when a mean lies above 0.5 by more than three standard errors. Means below are no
leak: risks of folds whose models have other intercepts are ranked together, and a fold with more events is judged by models that saw fewer.
"""

import argparse
import csv
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

COLUMNS = ("age_years", "mtd_cm", "sad_aln_cm", "neutrophils", "lymphocytes", "monocytes", "wbc", "platelets")


# What the study says when outcomes that carry nothing leave a signature without features. Such a shuffle has no model to judge.
NO_FEATURE = "no feature is left"
# Shuffles that are drawn at most for each that is asked for.
MOST_DRAWN = 5


def run(command):
    """Runs to the end; whether there is a model. Ends this script when the program fails for another reason."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode and NO_FEATURE not in done.stderr:
        sys.exit(f"{' '.join(map(str, command))} ended with {done.returncode}: {done.stderr}")
    return not done.returncode


def delete_values(cohort, share, seed):
    """Deletes a share of the values that models need; how many."""
    table = cohort / "patients.csv"
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    chance, deleted = random.Random(seed), 0
    for row in rows:
        for column in COLUMNS:
            if chance.random() < share:
                row[column] = ""
                deleted += 1
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    with (cohort / "cohort.toml").open("a") as file:
        file.write('\n[missing]\npolicy = "impute"\n')
    return deleted


def areas(out):
    """Areas of each model by (figure, model)."""
    results = json.loads((out / "results.json").read_text())
    found = {}
    for figure, evaluation in (("cross-fitted", results["cross_fitted"]), ("external", results["validation"][0])):
        for performance in evaluation["performances"]:
            found[figure, performance["model"]] = performance["auc"]["auc"]
    external = results["validation"][0]["cohort"]
    with (out / "tables/imputed_areas.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            figure = {"cross-fitted": "cross-fitted, pooled", external: "external, pooled"}.get(row["cohort"])
            if figure:
                found[figure, row["model"]] = float(row["pooled"].split()[0])
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--patients", type=int, default=120, help="of the simulated cohort")
    parser.add_argument("--shuffles", type=int, default=20)
    parser.add_argument("--missing", type=float, default=0.05, help="share of the values that are deleted")
    parser.add_argument("--fold-networks", action="store_true")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    threads = ["--threads", options.threads] if options.threads else []
    networks = ["--cross-fit-network"] if options.fold_networks else []
    with tempfile.TemporaryDirectory() as folder:
        first = Path(folder) / "first"
        if not run([options.program, "--quick", "--patients", options.patients, "--out", first, *threads]):
            sys.exit(f"the outcomes of {options.patients} patients leave no model before they are shuffled; --patients takes more of them")
        cohort = first / "cohort"
        deleted = delete_values(cohort, options.missing, 1)
        print(f"{options.patients} patients, {deleted} values deleted", flush=True)
        found, judged, seed = {}, 0, 0
        while judged < options.shuffles:
            seed += 1
            if seed > MOST_DRAWN * options.shuffles:
                sys.exit(f"only {judged} of {seed - 1} shuffles had a model; --patients takes more of them")
            out = Path(folder) / "shuffled"
            shutil.copytree(first / "steps/images", out / "steps/images")
            if run([options.program, "--quick", "--cohort", cohort, "--out", out, "--shuffle-outcomes", "--seed", seed, *networks, *threads]):
                judged += 1
                of_run = areas(out)
                for key, area in of_run.items():
                    found.setdefault(key, []).append(area)
                areas_of_run = ", ".join(f"{figure} {area:.3f}" for (figure, model), area in of_run.items() if model == "Integrated")
                print(f"shuffle {seed}: Integrated {areas_of_run}", flush=True)
            else:
                print(f"shuffle {seed}: {NO_FEATURE}, so that there is no model", flush=True)
            shutil.rmtree(out)
        print(f"{judged} of {seed} shuffles had a model")
    figures = sorted({figure for figure, _ in found})
    print(f"{'model':14}" + "".join(f"{figure:>24}" for figure in figures))
    is_chance = True
    for model in dict.fromkeys(model for _, model in found):
        cells = []
        for figure in figures:
            values = found[figure, model]
            mean, error = statistics.fmean(values), statistics.stdev(values) / len(values) ** 0.5
            has_seen_all = figure.startswith("cross-fitted") and not options.fold_networks and ("DL" in model or model == "Integrated")
            is_chance &= has_seen_all or mean - 0.5 <= 3 * error
            cells.append(f"{mean:.3f} ± {error:.3f}")
        print(f"{model:14}" + "".join(f"{cell:>24}" for cell in cells))
    sys.exit(not is_chance)


if __name__ == "__main__":
    main()
