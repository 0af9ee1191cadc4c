"""The examples in the documentation of the modules."""

import doctest
import importlib
import pkgutil

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
