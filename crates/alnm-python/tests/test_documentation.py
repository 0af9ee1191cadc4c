"""The examples in the documentation of the modules."""

import doctest
import importlib
import json
import pkgutil
from pathlib import Path

import pytest

import alnm

MODULES = [
    module.name
    for module in pkgutil.walk_packages(alnm.__path__, "alnm.")
    if not module.name.endswith(("__main__", "_native"))
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_say(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_modules_are_found():
    assert {"alnm.imaging", "alnm.stats", "alnm.radiomics.featureextractor"} <= set(MODULES)


def test_the_notebook_runs():
    path = Path(__file__).parent.parent / "notebooks/radiomics.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    names = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), f"{path.name}, {cell['id']}", "exec"), names)
    assert len(names["numbers"]) == 851
