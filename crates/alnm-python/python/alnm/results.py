"""The results of the statistical functions, and the conversion of their arguments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alnm import _native
from alnm._native import AlnmError


@dataclass(frozen=True)
class Interval:
    """A confidence interval."""

    lower: float
    """Lower end."""
    upper: float
    """Upper end."""
    level: float
    """Confidence level, such as 0.95."""


@dataclass(frozen=True)
class TestResult:
    """The result of a hypothesis test."""

    # Without it, pytest takes the class for a group of tests because of its name.
    __test__ = False

    method: str
    """Name of the test."""
    statistic: float
    """Test statistic."""
    degrees_of_freedom: list[float]
    """Degrees of freedom of the distribution that the statistic is compared with; empty if it has none."""
    p_value: float
    estimate: list[float]
    """The estimates that the test is about; each function says which."""
    interval: Interval | None
    """Confidence interval; None where the test has none."""


@dataclass(frozen=True)
class Columns:
    """The columns of a table: their names, and whether they are its own or those that columns without names get."""

    names: list[str]
    are_named: bool

    def of(self, values: Any, what: str = "the table") -> Table:
        """The same columns of another table, in this order. Where both have names of columns, they are matched by name,
        and further columns are left out; otherwise they are matched by position.

        :param what: the name of the argument in error messages.
        :raises AlnmError: for a table that lacks a column, has one twice, or has another number of columns without
            names.
        """
        own, array = _named_columns(values, what)
        if own is None or not self.are_named or not all(isinstance(name, str) for name in own):
            return table(array, self.names, what)
        for name in self.names:
            if (times := own.count(name)) != 1:
                raise AlnmError(f"{what} has the column {name!r} {times} times; it must have it once, as in the fit")
        chosen = array[:, [own.index(name) for name in self.names]]
        return Table(self, np.ascontiguousarray(chosen, dtype=float))


@dataclass(frozen=True)
class Table:
    """A table of features: its columns, and an array with one row per patient."""

    columns: Columns
    values: Any

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return self.columns.names


def interval(limits: tuple[float, float, float]) -> Interval:
    """An interval from the numbers that the native module returned."""
    return Interval(*limits)


def test_result(parts: Any) -> TestResult:
    """A test result from the parts that the native module returned."""
    method, statistic, degrees, p_value, estimate, limits = parts
    return TestResult(method, statistic, degrees, p_value, estimate, None if limits is None else Interval(*limits))


test_result.__test__ = False  # type: ignore[attr-defined]


def _arrow_columns(values: Any) -> list[tuple[str, Any]] | None:
    """Names and numbers of the columns of an object that exports an Arrow stream, such as tables of Polars, PyArrow and
    DuckDB; ``None`` for any other object. Data frames of pandas are read by NumPy, since their Arrow export would need
    PyArrow."""
    export = getattr(values, "__arrow_c_stream__", None)
    if export is None or type(values).__module__.partition(".")[0] == "pandas":
        return None
    return _native.arrow_columns(export())


def _column(values: Any, what: str) -> Any:
    """Values as an array of one axis."""
    columns = _arrow_columns(values)
    if columns is not None:
        if len(columns) != 1:
            raise AlnmError(f"the number of columns of {what} is {len(columns)}; it must be 1")
        return columns[0][1]
    array = np.asarray(values)
    if array.ndim != 1:
        raise AlnmError(f"the number of axes of {what} is {array.ndim}; it must be 1")
    return array


def labels(values: Any) -> list[bool]:
    """Outcomes, given as booleans or as 0 and 1, as booleans.

    :raises AlnmError: for other values, and for an array with more than one axis.
    """
    array = _column(values, "the outcome")
    if array.dtype != bool and not np.isin(array, (0, 1)).all():
        wrong = array[~np.isin(array, (0, 1))][0]
        raise AlnmError(f"an outcome is {wrong}; it must be 0 or 1")
    return array.astype(bool).tolist()  # type: ignore[no-any-return]


def numbers(values: Any, what: str = "the numbers") -> list[float]:
    """Values as a list of numbers.

    :param what: the name of the argument in error messages.
    :raises AlnmError: for an array with more than one axis.
    """
    array = np.asarray(_column(values, what), dtype=float)
    return array.tolist()  # type: ignore[no-any-return]


def count(value: Any, what: str, most: int) -> int:
    """A whole number from 0 to ``most``, a limit that bounds the memory which the number can demand.

    :raises AlnmError: for anything else.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 0 <= value <= most:
        raise AlnmError(f"{what} is {value!r}; it must be a whole number from 0 to {most}")
    return int(value)


def matrix(values: Any, what: str = "the table") -> Any:
    """The numbers of a table as an array of two axes; see :func:`table`."""
    return table(values, what=what).values


def table(values: Any, names: Sequence[str] | None = None, what: str = "the table") -> Table:
    """A table from a pandas data frame or a table of Arrow, whose column names are used, or from an array of two axes,
    whose columns are called ``x0``, ``x1`` and so on.

    :param names: names in place of these. Columns are matched with them by position.
    :param what: the name of the argument in error messages.
    :raises AlnmError: for an array with another number of axes, or another number of names than of columns.
    """
    own, array = _named_columns(values, what)
    array = np.ascontiguousarray(array, dtype=float)
    if names is not None and len(names) != array.shape[1]:
        raise AlnmError(f"there are {len(names)} names; the table has {array.shape[1]} columns")
    if names is None and own is not None:
        return Table(Columns([str(name) for name in own], all(isinstance(name, str) for name in own)), array)
    default = [f"x{place}" for place in range(array.shape[1])]
    return Table(Columns(default if names is None else list(names), False), array)


def _named_columns(values: Any, what: str) -> tuple[list[Any] | None, Any]:
    """The names of columns, where they have any, and the columns as an array of two axes."""
    streamed = _arrow_columns(values)
    if streamed is not None:
        columns = np.column_stack([column for _, column in streamed]) if streamed else np.empty((0, 0))
        return [name for name, _ in streamed], columns
    array, names = np.asarray(values), getattr(values, "columns", None)
    if array.ndim != 2:
        raise AlnmError(f"the number of axes of {what} is {array.ndim}; it must be 2, rows and columns")
    return None if names is None else list(names), array
