"""The command line."""

import csv
import json

import numpy as np
import pytest

from alnm import imaging
from alnm.radiomics.command import main
from alnm.radiomics.featureextractor import RadiomicsFeatureExtractor


@pytest.fixture
def files(case, tmp_path):
    imaging.write(tmp_path / "image.nrrd", case[0])
    imaging.write_mask(tmp_path / "mask.nrrd", case[1])
    return tmp_path


def test_one_case_as_text_table_and_json(files, case, capsys):
    arguments = [str(files / "image.nrrd"), str(files / "mask.nrrd"), "-s", "binWidth:10", "-s", "distances:1"]
    assert main(arguments) == 0
    lines = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())
    expected = RadiomicsFeatureExtractor(binWidth=10).execute(*case)
    assert float(lines["Case-1_original_glcm_Contrast"]) == expected["original_glcm_Contrast"]
    assert lines["Case-1_diagnostics_Mask-original_BoundingBox"] == str(
        expected["diagnostics_Mask-original_BoundingBox"]
    )
    for form in ("csv", "json"):
        assert main([*arguments, "-f", form, "-o", str(files / f"out.{form}")]) == 0
    with open(files / "out.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    (other,) = json.loads((files / "out.json").read_text())
    name = "original_firstorder_Mean"
    assert float(row[name]) == other[name] == expected[name]


def test_a_table_of_cases(files, capsys):
    (files / "cases.csv").write_text("Patient,Image,Mask,Label\nA,image.nrrd,mask.nrrd,1\nB,image.nrrd,none.nrrd,1\n")
    arguments = [str(files / "cases.csv"), "-j", "2", "-f", "csv", "-o", str(files / "out.csv")]
    assert main(arguments) == 0
    with open(files / "out.csv", newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["Patient"], second["Patient"]) == ("A", "B")
    assert np.isfinite(float(first["original_firstorder_Mean"])) and second["original_firstorder_Mean"] == ""


def test_feature_maps_are_files(files):
    (files / "params.yaml").write_text("featureClass: {firstorder: [Mean]}\n")
    arguments = [str(files / "image.nrrd"), str(files / "mask.nrrd"), "-p", str(files / "params.yaml"), "-m", "voxel"]
    assert main([*arguments, "-od", str(files / "maps"), "-o", str(files / "out.txt")]) == 0
    assert imaging.read(files / "maps" / "Case-1_original_firstorder_Mean.nrrd").array.dtype == float


def test_what_makes_no_sense(files):
    assert main([str(files / "image.nrrd")]) == 1
    assert main([str(files / "none.csv")]) == 1
    (files / "cases.csv").write_text("Image,Label\na,1\n")
    assert main([str(files / "cases.csv")]) == 1
    (files / "params.yaml").write_text("setting: {binWidth: 0}\n")
    assert main([str(files / "image.nrrd"), str(files / "mask.nrrd"), "-p", str(files / "params.yaml")]) == 1
