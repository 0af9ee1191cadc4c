"""The package under the name of PyRadiomics."""

import logging
import subprocess
import sys

import pytest

from alnm import radiomics


def test_unchanged_code_finds_the_package():
    program = """
import alnm.radiomics
alnm.radiomics.install_as_radiomics()
import radiomics
from radiomics import featureextractor, getFeatureClasses, imageoperations
import radiomics.glcm as glcm
assert glcm.RadiomicsGLCM is getFeatureClasses()["glcm"]
assert featureextractor.RadiomicsFeatureExtractor().settings["label"] == 1
assert radiomics.__version__.startswith("3.0.1+alnm.")
alnm.radiomics.install_as_radiomics()
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_simpleitk_is_not_imported():
    program = """
import sys
import numpy as np
from alnm import Image
from alnm.radiomics.featureextractor import RadiomicsFeatureExtractor
z, y, x = np.indices((8, 9, 10))
inside = ((z > 1) & (y > 2) & (x > 3)).astype(np.uint8)
RadiomicsFeatureExtractor().execute(Image(z * y + x, (1, 1, 1)), Image(inside, (1, 1, 1)))
assert "SimpleITK" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_name_may_be_taken():
    program = """
import sys, types
sys.modules["radiomics"] = types.ModuleType("radiomics")
import alnm.radiomics
try:
    alnm.radiomics.install_as_radiomics()
except RuntimeError as error:
    assert "call install_as_radiomics() before" in str(error)
else:
    raise SystemExit("no error")
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_test_cases_are_not_bundled(tmp_path):
    with pytest.raises(ValueError, match="test case is 'brain9'"):
        radiomics.getTestCase("brain9")
    with pytest.raises(FileNotFoundError, match="this package holds no images"):
        radiomics.getTestCase("brain1", str(tmp_path))
    (tmp_path / "brain1_image.nrrd").touch()
    (tmp_path / "brain1_label_2D.nrrd").touch()
    assert radiomics.getTestCase("brain1_2D", str(tmp_path))[1].endswith("brain1_label_2D.nrrd")


def test_verbosity_goes_through_logging():
    radiomics.setVerbosity(5)
    assert radiomics.handler.level == 10 and radiomics.logger.level == 10
    radiomics.setVerbosity(100)
    assert radiomics.handler.level == 60
    radiomics.setVerbosity(logging.WARNING)
    radiomics.logger.setLevel(logging.INFO)


def test_parameter_files_are_checked_by_pykwalify_too(tmp_path):
    core = pytest.importorskip("pykwalify.core")
    errors = pytest.importorskip("pykwalify.errors")
    schema, functions = radiomics.getParameterValidationFiles()
    path = tmp_path / "params.yaml"
    path.write_text("setting: {binWidth: 10}\n")
    core.Core(source_file=str(path), schema_files=[schema], extensions=[functions]).validate()
    path.write_text("setting: {binWidth: 0}\n")
    with pytest.raises(errors.SchemaError):
        core.Core(source_file=str(path), schema_files=[schema], extensions=[functions]).validate()
