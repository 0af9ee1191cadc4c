"""Compares `alnm extract` with the baseline tables of PyRadiomics' own tests.

    python3 benches/compare_baselines.py target/debug/alnm PYRADIOMICS [IMAGES]

PYRADIOMICS is a checkout of its repository, whose `data/baseline` holds one table for each class of features: a column for
each test, with the test's case and settings and the expected values. Images and masks are `data/CASE_image.nrrd` and
`data/CASE_label.nrrd` there, or in the folder IMAGES. Cases of one slice, which the repository does not hold (`brain1_2D`), are cut from the
masks at the box that their table names. A value agrees when it is within 3 % of the baseline's, as
PyRadiomics' tests have it. Tests whose image or mask is not there are counted apart. Needs nothing but Python."""
import ast
import collections
import csv
import gzip
import json
import math
import pathlib
import subprocess
import sys
import tempfile

TOLERANCE = 0.03


def tests(table):
    """Class, name, case, settings and expected values of each column of a table."""
    with open(table, newline="") as file:
        rows = list(csv.reader(file))
    feature_class = table.stem.removeprefix("baseline_")
    for column in range(1, len(rows[0])):
        entries = {row[0]: row[column] for row in rows}
        expected = {name: float(value) for name, value in entries.items() if name.startswith("original_")}
        settings = ast.literal_eval(entries["diagnostics_Configuration_Settings"])
        given = {name: value for name, value in settings.items() if value is not None}
        case = entries["diagnostics_Configuration_TestCase"]
        box = ast.literal_eval(entries["diagnostics_Mask-corrected_BoundingBox"]) if case.endswith("_2D") else None
        yield feature_class, entries["featureName"], case, given, expected, box


def slice_of(mask, box, to):
    """Writes one slice of a mask (NRRD, gzip): that of a box, x, y and z of its corner and its size."""
    header, voxels = mask.read_bytes().split(b"\n\n", 1)
    voxels = gzip.decompress(voxels)
    slices = int(next(line for line in header.split(b"\n") if line.startswith(b"sizes:")).split()[-1])
    size = len(voxels) // slices
    kept = slice(box[2] * size, (box[2] + 1) * size)
    blank = bytearray(len(voxels))
    blank[kept] = voxels[kept]
    to.write_bytes(header + b"\n\n" + gzip.compress(bytes(blank), 1))
    return to


def extracted(program, folder, image, mask, feature_class, names, settings):
    parameters, out = folder / "parameters.yaml", folder / "features.json"
    features = [name.rsplit("_", 1)[1] for name in names]
    document = {"setting": settings, "imageType": {"Original": {}}, "featureClass": {feature_class: features}}
    parameters.write_text(json.dumps(document))
    out.unlink(missing_ok=True)
    command = [program, "extract", image, mask, "--param", parameters, "--format", "json", "--out", out, "--verbosity", "2"]
    subprocess.run(command, check=True)
    row = json.loads(out.read_text())[0]
    return {name: math.nan if value is None else value for name, value in row.items()}


def difference(value, expected):
    if expected == 0:
        return 0.0 if value == 0 else math.inf
    return abs(value / expected - 1)


def main():
    program, checkout = sys.argv[1], pathlib.Path(sys.argv[2])
    images = pathlib.Path(sys.argv[3]) if len(sys.argv) > 3 else checkout / "data"
    absent, counts, failed = collections.Counter(), {}, []
    with tempfile.TemporaryDirectory() as folder:
        for table in sorted((checkout / "data" / "baseline").glob("baseline_*.csv")):
            for feature_class, name, case, settings, expected, box in tests(table):
                volume = case.removesuffix("_2D")
                image, mask = images / f"{volume}_image.nrrd", images / f"{volume}_label.nrrd"
                if not (image.exists() and mask.exists()):
                    absent[case] += 1
                    continue
                if box:
                    mask = slice_of(mask, box, pathlib.Path(folder, f"{case}_label.nrrd"))
                values = extracted(program, pathlib.Path(folder), image, mask, feature_class, expected, settings)
                runs, agree, total, worst = counts.get(feature_class, (0, 0, 0, 0.0))
                for feature, baseline in expected.items():
                    apart = difference(float(values.get(feature, math.nan)), baseline)
                    if not apart < TOLERANCE:
                        failed.append(f"{name} {feature}: {values.get(feature)} instead of {baseline}")
                    agree, total, worst = agree + (apart < TOLERANCE), total + 1, max(worst, apart)
                counts[feature_class] = runs + 1, agree, total, worst
    print(f"{'class':12}{'runs':>6}{'agree':>8}{'of':>8}  worst relative difference")
    for feature_class, (runs, agree, total, worst) in counts.items():
        print(f"{feature_class:12}{runs:6}{agree:8}{total:8}  {worst:.2e}")
    runs, agree, total = (sum(count[place] for count in counts.values()) for place in range(3))
    print(f"{'all':12}{runs:6}{agree:8}{total:8}")
    for case, number in sorted(absent.items()):
        print(f"no image or mask of {case}: {number} runs left out")
    print(*failed, sep="\n")
    return 1 if failed or not total else 0


if __name__ == "__main__":
    sys.exit(main())
