"""Tables of pandas and polars, and sparse matrices of scipy, as arrays of numbers; or an error that names the column.

None of the three is imported: a table is known by the module of its class.
"""
from __future__ import annotations

import math
import numbers

import numpy as np

from tinynet.types import Any
from tinynet.validation import LARGEST

LARGEST_DENSE = 2**30       # bytes that a sparse matrix may take as an array


def as_array(table: Any, role: str, name: str, dtype: Any) -> Any:
    """A table or a column as float64, a sparse matrix as dtype; what is none of them as it is.

    Bool, nullable types such as Int64, and columns of dtype object that hold numbers are numbers.

    Raises ValueError for text, dates, missing values, and for a sparse matrix that would take more than 1 GiB.
    """
    library = next((kind.__module__.partition(".")[0] for kind in type(table).__mro__
                    if kind.__module__.partition(".")[0] in ("pandas", "polars", "scipy")), "")
    error = f"Error when checking {role}: {name}"
    if library == "scipy" and hasattr(table, "toarray"):
        return _dense(table, error, dtype)
    if library == "polars" and hasattr(table, "collect"):
        raise ValueError(f"{error} is a LazyFrame of polars, which has no numbers yet. Pass x.collect().")
    if library not in ("pandas", "polars") or not hasattr(table, "to_numpy") or hasattr(table, "levels"):
        return table        # a MultiIndex has levels
    if not hasattr(table, "columns"):
        return _numbers(table, library, error, role)
    result = np.empty(table.shape, order="F")
    for i in range(table.shape[1]):
        column = table.iloc[:, i] if library == "pandas" else table.to_series(i)
        result[:, i] = _numbers(column, library, error, role)
    return result


def _numbers(column, library, error, role):
    """A pandas or polars Series, or an array of pandas, as float64."""
    pandas, label = library == "pandas", getattr(column, "name", None)
    x = {"target": "y", "input": f"x[{label!r}]"}.get(role, role)
    what = f"{error}: column {label!r} of dtype {column.dtype}"
    try:
        values, missing = column.to_numpy(), np.asarray(column.isna() if pandas else column.is_null(), bool)
    except Exception as reason:     # of polars, which has an exception class of its own
        raise ValueError(f"{what} cannot be read as numbers: {reason}") from reason
    if missing.any():
        fill, drop = ("fillna", "dropna") if pandas else ("fill_null", "drop_nulls")
        cure = f"Fill or drop them first: x.{fill}(0), or x.{drop}()" if role == "input" else (
            "Leave these samples out of x and y first")
        raise ValueError(f"{what} has missing values, {missing.sum():,} in all, the first in row {missing.argmax()}. "
                         f"{cure}.")
    if values.ndim == 1 and values.dtype.kind in "fiub":
        return values.astype(float, copy=False)
    if values.dtype.kind in "mM" or getattr(column.dtype, "kind", "") in tuple("mM"):
        days = "days" if pandas else "total_days()"
        raise ValueError(f"{what} holds dates or times. Turn them into numbers first: ({x} - {x}.min()).dt.{days}, for "
                         "example.")
    # bool, of a nullable type; numbers of dtype object; Decimal
    others = [n for n in values.tolist() if not isinstance(n, numbers.Number) or isinstance(n, complex)
              or isinstance(n, int) and abs(n) > LARGEST]
    if not others:
        return values.astype(float)
    dummies = f"pandas.get_dummies(x, columns=[{label!r}])" if pandas else f"x.to_dummies({label!r})"
    cures = {"input": f": {dummies}, or scikit-learn's OneHotEncoder",
             "target": ": classes, y = numpy.unique(y, return_inverse=True)"}
    raise ValueError(f"{what} holds {others[0]!r:.40}, which is not a number or too large. Turn it into numbers first"
                     f"{cures.get(role, '')}.")


def _dense(matrix, error, dtype):
    size = math.prod(matrix.shape) * np.dtype(dtype).itemsize
    if size > LARGEST_DENSE:
        raise ValueError(f"{error} is a sparse matrix of shape {matrix.shape}, which would take "
                         f"{size / 2**30:,.1f} GiB as an array; up to {LARGEST_DENSE / 2**30:g} is accepted. Pass a "
                         "`tinynet.utils.Sequence` whose batches are x[start:stop].toarray().")
    return (matrix.astype(dtype) if matrix.dtype.kind in "fiub" else matrix).toarray()
