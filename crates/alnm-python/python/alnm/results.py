"""What the statistical functions return, and how they take tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alnm._native import AlnmError


@dataclass(frozen=True)
class Interval:
    """A confidence interval."""

    lower: float
    upper: float
    level: float


@dataclass(frozen=True)
class TestResult:
    """A hypothesis test."""

    __test__ = False

    method: str
    statistic: float
    degrees_of_freedom: list[float]
    p_value: float
    estimate: list[float]
    interval: Interval | None


@dataclass(frozen=True)
class Table:
    """A table of features: rows are patients."""

    names: list[str]
    values: Any


def interval(limits: tuple[float, float, float]) -> Interval:
    """The interval that the native module returned."""
    return Interval(*limits)


def test_result(parts: Any) -> TestResult:
    """The test that the native module returned."""
    method, statistic, degrees, p_value, estimate, limits = parts
    return TestResult(method, statistic, degrees, p_value, estimate, None if limits is None else Interval(*limits))


test_result.__test__ = False  # type: ignore[attr-defined]


def labels(values: Any) -> list[bool]:
    """Outcomes of 0 and 1, or of booleans, as booleans.

    :raises AlnmError: for other values.
    """
    array = np.asarray(values)
    if array.ndim != 1:
        raise AlnmError(f"the outcome has {array.ndim} axes; it must have one")
    if array.dtype != bool and not np.isin(array, (0, 1)).all():
        wrong = array[~np.isin(array, (0, 1))][0]
        raise AlnmError(f"an outcome is {wrong}; it must be 0 or 1")
    return array.astype(bool).tolist()  # type: ignore[no-any-return]


def numbers(values: Any, what: str = "the numbers") -> list[float]:
    """Numbers in one axis."""
    array = np.asarray(values, dtype=float)
    if array.ndim != 1:
        raise AlnmError(f"{what} have {array.ndim} axes; they must have one")
    return array.tolist()  # type: ignore[no-any-return]


def count(value: Any, what: str, most: int) -> int:
    """A whole number from 0 to ``most``, which bounds the memory that it can take."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 0 <= value <= most:
        raise AlnmError(f"{what} is {value!r}; it must be a whole number from 0 to {most}")
    return int(value)


def matrix(values: Any, what: str = "the table") -> Any:
    """Numbers in two axes."""
    array = np.ascontiguousarray(values, dtype=float)
    if array.ndim != 2:
        raise AlnmError(f"{what} has {array.ndim} axes; it must have two, rows and columns")
    return array


def table(values: Any, names: Sequence[str] | None = None) -> Table:
    """A table from a pandas data frame, which brings its names, or from an array of two axes."""
    columns = getattr(values, "columns", None)
    array = matrix(values)
    if names is None:
        names = [f"x{place}" for place in range(array.shape[1])] if columns is None else [str(name) for name in columns]
    if len(names) != array.shape[1]:
        raise AlnmError(f"there are {len(names)} names; the table has {array.shape[1]} columns")
    return Table(list(names), array)
