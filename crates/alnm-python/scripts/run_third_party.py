"""Run public packages that call PyRadiomics, unchanged, with PyRadiomics and with this package, and compare.

    python scripts/run_third_party.py DATA

DATA is the folder `data` of a checkout of PyRadiomics (brain1, brain2 and breast1 are read). Needed in one environment:
this package, PyRadiomics 3.0.1, and of the packages below those that are to be run, installed without their demand for
another PyRadiomics (`pip install --no-deps`). Each is called by its own functions in a process of its own, once as it
is and once after `alnm.radiomics.install_as_radiomics()`. Values that differ by more than 1e-6 of PyRadiomics' are
listed.
"""

import importlib.util
import json
import math
import subprocess
import sys
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path

CASES = ("brain1", "brain2", "breast1")
TOLERANCE = 1e-6


def read(data, case):
    import SimpleITK

    return [SimpleITK.ReadImage(str(data / f"{case}_{kind}.nrrd")) for kind in ("image", "label")]


def readii(data, folder):
    """Its default parameters, on the lesion and on a negative control: the lesion's voxels shuffled from a seed."""
    import readii as package
    from readii.feature_extraction import singleRadiomicFeatureExtraction

    parameters = Path(package.__file__).parent / "data/default_pyradiomics.yaml"
    for case in CASES:
        for control in (None, "shuffled_roi"):
            yield (
                f"{case} {control}",
                singleRadiomicFeatureExtraction(
                    *read(data, case), str(parameters), negativeControl=control, randomSeed=10
                ),
            )


def qradiomics(data, folder):
    """All image types and features, its default where no parameter file is given."""
    from qradiomics.atomic.features import extract_features

    for case in CASES:
        yield case, extract_features(*read(data, case))


def pmtool(data, folder):
    """The table of its ToolBox, over a folder of patients."""
    import SimpleITK
    from pmtool.ToolBox import ToolBox

    for case in CASES:
        patient = folder / "patients" / case
        patient.mkdir(parents=True)
        for image, name in zip(read(data, case), ("image", "mask")):
            SimpleITK.WriteImage(image, str(patient / f"{name}.nrrd"))
    parameters = folder / "parameters.yaml"
    parameters.write_text(
        "setting: {binWidth: 20, normalize: true}\nimageType: {Original: {}, Wavelet: {}, LBP2D: {}}\n"
    )
    table = ToolBox(data_path=str(folder / "patients"), data_type="nrrd").extract_features(str(parameters))
    for _, row in table.iterrows():
        yield row["Patient"], row.to_dict()


def frd_score(data, folder):
    """The features of both versions of the score, of a slice with its mask."""
    import SimpleITK
    from frd_score import frd

    for case in CASES:
        image, mask = read(data, case)
        labels = SimpleITK.GetArrayViewFromImage(mask).sum(axis=(1, 2))
        middle = int(labels.argmax())
        grey = SimpleITK.Cast(SimpleITK.RescaleIntensity(image[:, :, middle], 0, 255), SimpleITK.sitkUInt8)
        paths = folder / f"{case}.png", folder / f"{case}-mask.png"
        SimpleITK.WriteImage(grey, str(paths[0]))
        SimpleITK.WriteImage(SimpleITK.Cast(mask[:, :, middle] > 0, SimpleITK.sitkUInt8) * 255, str(paths[1]))
        for score in (frd.FRD_VERSION_V0, frd.FRD_VERSION_V1):
            extractor = frd.get_feature_extractor(frd_version=score)
            result = frd.process_image_mask_pair(paths, feature_extractor=extractor, frd_version=score)
            yield f"{case} {score}", result[1]


PACKAGES = {"readii": readii, "qradiomics": qradiomics, "precision-medicine-toolbox": pmtool, "frd-score": frd_score}
MODULES = {"precision-medicine-toolbox": "pmtool", "frd-score": "frd_score"}


def numbers(features):
    """The features alone, as numbers."""
    found = {}
    for name, value in features.items():
        if not str(name).startswith("diagnostics"):
            try:
                found[str(name)] = float(value)
            except (TypeError, ValueError):
                continue
    return found


def run(engine, package, data):
    if engine == "alnm":
        import alnm.radiomics

        alnm.radiomics.install_as_radiomics()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        rows = {key: numbers(features) for key, features in PACKAGES[package](Path(data), Path(folder))}
    import radiomics

    return {"engine": radiomics.__file__, "rows": rows}


def difference(ours, theirs):
    if math.isnan(ours) or math.isnan(theirs):
        return 0.0 if math.isnan(ours) and math.isnan(theirs) else math.inf
    return abs(ours - theirs) / max(abs(theirs), 1e-12) if ours != theirs else 0.0


def compare(package, data):
    """The number of values, the largest difference among those within the tolerance, and those beyond it."""
    results = {}
    for engine in ("pyradiomics", "alnm"):
        command = [sys.executable, __file__, "--run", engine, package, data]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{package} with {engine}:\n{done.stderr[-2000:]}")
        results[engine] = json.loads(done.stdout.splitlines()[-1])
    ours, theirs = results["alnm"], results["pyradiomics"]
    assert ours["engine"] != theirs["engine"], "both ran the same engine"
    count, worst, beyond = 0, 0.0, []
    for key, row in theirs["rows"].items():
        if list(row) != list(ours["rows"][key]):
            sys.exit(f"{package}, {key}: other columns: {sorted(set(row) ^ set(ours['rows'][key]))}")
        for name, value in row.items():
            count += 1
            distance = difference(ours["rows"][key][name], value)
            if distance <= TOLERANCE:
                worst = max(worst, distance)
            else:
                beyond.append(f"    {key} {name}: {ours['rows'][key][name]}, with PyRadiomics {value}")
    return count, worst, beyond


def main():
    if sys.argv[1:2] == ["--run"]:
        print("\n" + json.dumps(run(*sys.argv[2:])))
        return 0
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    failed = False
    for package in PACKAGES:
        if importlib.util.find_spec(MODULES.get(package, package)) is None:
            print(f"{package}: not installed")
            continue
        count, worst, beyond = compare(package, sys.argv[1])
        failed |= bool(beyond) or count == 0
        print(
            f"{package} {version(package)}: {count - len(beyond)} of {count} values within {worst:.1e}",
            *beyond,
            sep="\n",
        )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
