"""Tables of pandas and polars, and sparse matrices of scipy, as arrays of numbers; or an error that names the column.

None of the three is imported: a table is known by the module of its class.
"""
from __future__ import annotations

import numbers

import numpy as np

from tinynet.types import Any

LARGEST_DENSE = 2**30       # bytes that a sparse matrix may take as an array


def as_array(table: Any, role: str, name: str, dtype: str) -> Any:
    """A table or a column as float64, a sparse matrix as dtype; what is none of them as it is.

    Bool, nullable types such as Int64, and columns of dtype object that hold numbers are numbers.

    Raises ValueError for text, dates, missing values, and for a sparse matrix that would take more than 1 GiB.
    """
    library, error = type(table).__module__.partition(".")[0], f"Error when checking {role}: {name}"
    if library == "scipy" and hasattr(table, "toarray"):
        return _dense(table, error, dtype)
    if library == "polars" and hasattr(table, "collect"):
        raise ValueError(f"{error} is a LazyFrame of polars, which has no numbers yet. Pass x.collect().")
    if library not in ("pandas", "polars") or not hasattr(table, "to_numpy"):
        return table
    if not hasattr(table, "columns"):
        return _numbers(table, library, error, role)
    result = np.empty(table.shape, order="F")
    for i in range(table.shape[1]):
        column = table.iloc[:, i] if library == "pandas" else table.to_series(i)
        result[:, i] = _numbers(column, library, error, role)
    return result


def _numbers(column, library, error, role):
    """A pandas or polars Series as float64."""
    pandas, x = library == "pandas", "y" if role == "target" else "x"
    what = f"{error}: column {column.name!r} of dtype {column.dtype}"
    missing = np.asarray(column.isna() if pandas else column.is_null(), bool)
    if missing.any():
        fill, drop = ("fillna", "dropna") if pandas else ("fill_null", "drop_nulls")
        raise ValueError(f"{what} has missing values, {missing.sum():,} in all, the first in row {missing.argmax()}. "
                         f"Fill or drop them first: {x}.{fill}(0), or {x}.{drop}().")
    values = column.to_numpy()
    if values.dtype.kind in "fiub":
        return values.astype(float, copy=False)
    if values.dtype.kind in "mM":
        days = "days" if pandas else "total_days()"
        raise ValueError(f"{what} holds dates or times. Turn them into numbers first: ({x} - {x}.min()).dt.{days}, for "
                         "example.")
    # bool, of a nullable type; numbers of dtype object; Decimal
    others = [n for n in values.tolist() if not isinstance(n, numbers.Number) or isinstance(n, complex)]
    if not others:
        return values.astype(float)
    dummies = f"pandas.get_dummies(x, columns=[{column.name!r}])" if pandas else f"x.to_dummies({column.name!r})"
    cure = "classes, y = numpy.unique(y, return_inverse=True)" if role == "target" else (
        f"{dummies}, or scikit-learn's OneHotEncoder")
    raise ValueError(f"{what} holds {others[0]!r}, which is not a number. Turn it into numbers first: {cure}.")


def _dense(matrix, error, dtype):
    size = int(np.prod(matrix.shape, dtype=float)) * np.dtype(dtype).itemsize
    if size > LARGEST_DENSE:
        raise ValueError(f"{error} is a sparse matrix of shape {matrix.shape}, which would take "
                         f"{size / 2**30:,.1f} GiB as an array; up to {LARGEST_DENSE / 2**30:g} is accepted. Pass a "
                         "`tinynet.utils.Sequence` whose batches are x[start:stop].toarray().")
    return (matrix.astype(dtype) if matrix.dtype.kind in "fiub" else matrix).toarray()
