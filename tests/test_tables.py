"""Tables of pandas and polars, and sparse matrices of scipy: they are numbers, or an error names the column."""
import numpy as np
import pytest

from tinynet.layers import Dense
from tinynet.models import Sequential
from tinynet.training import tables
from tinynet.utils import Sequence

INSTALL = 'is not installed: python -m pip install -e ".[interop]"'


@pytest.fixture
def model():
    model = Sequential([Dense(1, input_dim=3)])
    model.compile("sgd", "mse")
    return model


@pytest.fixture
def pd():
    return pytest.importorskip("pandas", reason=f"pandas {INSTALL}")


@pytest.fixture
def pl():
    return pytest.importorskip("polars", reason=f"polars {INSTALL}")


@pytest.fixture
def sparse():
    return pytest.importorskip("scipy.sparse", reason=f"scipy {INSTALL}")


ROWS = np.array([[1.5, 1, 1], [2.5, 3, 0]])


def is_the_array(model, table):
    assert np.array_equal(model.predict(table), model.predict(ROWS))


def is_refused(model, text, x, y=None):
    before = model.get_weights()
    with pytest.raises(ValueError, match=text):
        model.predict(x) if y is None else model.fit(x, y, verbose=0)
    assert all(map(np.array_equal, model.get_weights(), before))


def test_a_frame_of_pandas_is_its_numbers(model, pd):
    frame = pd.DataFrame({"a": [1.5, 2.5], "b": [1, 3], "c": [True, False]})
    for columns in ({}, {"b": pd.array([1, 3], "Int64")}, {"b": pd.array([1, 3], "Float64")},
                    {"c": pd.array([True, False], "boolean")}, {"a": np.array([1.5, 2.5], object)},
                    {"a": np.array([1.5, 2.5], np.float32)}, {"b": pd.Categorical([1, 3])}):
        is_the_array(model, frame.assign(**columns))
    is_the_array(model, [frame])
    is_the_array(model, frame.set_index(pd.Index(["x", "x"])))
    is_the_array(model, pd.get_dummies(frame.assign(c=["p", "q"]))[["a", "b", "c_p"]])
    same_names = pd.concat([frame, frame], axis=1).iloc[:, [0, 1, 5]]
    same_names.columns = ["a", "a", "a"]
    is_the_array(model, same_names)


def test_a_frame_of_polars_is_its_numbers(model, pl):
    frame = pl.DataFrame({"a": [1.5, 2.5], "b": [1, 3], "c": [True, False]})
    is_the_array(model, frame)
    is_the_array(model, frame.with_columns(pl.col("b").cast(pl.Decimal(10, 2))))
    is_the_array(model, frame.with_columns(pl.col("b").cast(pl.UInt8), pl.col("a").cast(pl.Float32)))


def test_a_table_of_another_width_is_an_error_with_its_columns(model, pd):
    is_refused(model, r"to have shape \(3,\) but got array with shape \(2,\). The table has the columns a, b.",
               pd.DataFrame({"a": [1, 2], "b": [3, 4]}))


def test_columns_are_targets_and_weights(model, pd, pl):
    x = pd.DataFrame(ROWS)
    for y in (pd.Series([1, 2]), pd.Series([1, 2], dtype="Int64"), pd.Index([1, 2]), pd.DataFrame({"y": [1, 2]}),
              pl.Series([1, 2]), pl.DataFrame({"y": [1, 2]})):
        model.set_weights([np.ones((3, 1)), np.zeros(1)])
        history = model.fit(x, y, sample_weight=pd.Series([1, 3]), verbose=0).history
        assert history["loss"] == [pytest.approx((2.5**2 + 3 * 3.5**2) / 2)]


def test_a_column_of_pandas_that_is_not_numbers_is_named(model, pd):
    frame = pd.DataFrame({"a": [1.5, 2.5], "b": [1, 3], "c": [True, False]})
    for column, text in {
            "text": (["p", "q"], r"column 'c' of dtype \w+ holds 'p'.*get_dummies\(x, columns=\['c'\]"),
            "categories": (pd.Categorical(["p", "q"]), "column 'c' of dtype category holds 'p'"),
            "dates": (pd.to_datetime(["2020", "2021"]), r"dtype datetime64.* holds dates.*: \(x\['c'\] - x\['c'\].min"),
            "dates of a zone": (pd.to_datetime(["2020", "2021"], utc=True), "dtype datetime64.* holds dates or times"),
            "durations": (pd.to_timedelta([1, 2], unit="D"), "column 'c' of dtype timedelta64.* holds dates or times"),
            "complex": (np.array([1j, 2]), "column 'c' of dtype complex128 holds 1j"),
            "None": (np.array([1.0, None], object), "column 'c' of dtype object has missing.* 1 in all, .* row 1"),
            "NA": (pd.array([1, None], "Int64"), r"column 'c' of dtype Int64 has missing values.*x.fillna\(0\)"),
            "NaN": ([np.nan, 1.0], "column 'c' of dtype float64 has missing values.* the first in row 0")}.values():
        is_refused(model, text, frame.assign(c=column))
    is_refused(model, r"column 'kind' of dtype \w+ holds 'p'.*numpy.unique\(y, return_inverse=True\)", frame,
               pd.Series(["p", "q"], name="kind"))
    y = pd.Series([1, None], dtype="Int64")
    is_refused(model, "column None of dtype Int64 has missing values.*Leave these samples out of x and y", frame, y)


def test_arrays_of_pandas_and_subclasses_of_frames_are_read_too(model, pd):
    class Table(pd.DataFrame):
        pass
    is_the_array(model, Table(ROWS))
    is_refused(model, "column 'b' of dtype .* holds 'x'", Table({"a": [1, 2], "b": ["x", "y"], "c": [0, 1]}))
    for y in (pd.array([1, 2], "Int64"), pd.array([True, False], "boolean"), pd.Categorical([1, 2]),
              pd.arrays.SparseArray([1, 2]), pd.Series([1, 2], dtype="Int64").values):
        model.fit(ROWS, y, verbose=0)
    is_refused(model, "column None of dtype .* holds 'x'", ROWS, pd.array(["x", "y"], "string"))
    is_refused(model, "expects an array of numbers", ROWS, pd.MultiIndex.from_tuples([(1, 2), (3, 4)]))


def test_a_column_of_polars_that_is_not_numbers_is_named(model, pl):
    frame = pl.DataFrame({"a": [1.5, 2.5], "b": [1, 3], "c": [True, False]})
    for column, text in {
            "text": (pl.Series(["p", "q"]), r"column 'c' of dtype String holds 'p'.*x.to_dummies\('c'\)"),
            "dates": (pl.Series(["2020-01-01", "2021-01-01"]).str.to_date(), "column 'c' of dtype Date holds dates"),
            "structs": (pl.Series([{"z": 1}, {"z": 2}]), "column 'c' of dtype Struct.* holds"),
            "arrays": (pl.Series([[1, 2], [3, 4]], dtype=pl.Array(pl.Int64, 2)), "column 'c' of dtype Array.* holds"),
            "null": (pl.Series([1, None]), r"column 'c' of dtype Int64 has missing values.*x.fill_null\(0\)")}.values():
        is_refused(model, text, frame.with_columns(column.alias("c")))
    is_refused(model, r"LazyFrame of polars, which has no numbers yet. Pass x.collect\(\)", frame.lazy())


def test_a_sparse_matrix_is_made_dense_if_it_is_not_too_large(model, sparse):
    for matrix in (sparse.csr_matrix(ROWS), sparse.coo_matrix(ROWS), sparse.csc_array(ROWS)):
        is_the_array(model, matrix)
    model.fit(sparse.csr_matrix(ROWS), sparse.csr_matrix([[1], [2]]), verbose=0)
    assert np.array_equal(model.predict(sparse.csr_array(ROWS > 1)), model.predict((ROWS > 1).astype(int)))
    large = sparse.csr_matrix((10**6, 300))
    is_refused(model, r"sparse matrix of shape \(1000000, 300\), which would take 1.1 GiB as an array.*toarray", large)


def test_the_cure_for_a_large_sparse_matrix_works(model, sparse, monkeypatch):
    class Batches(Sequence):
        def __init__(self, x, y):
            self.x, self.y = x, y

        def __len__(self):
            return -(-len(self.y) // 32)

        def __getitem__(self, i):
            rows = slice(32 * i, 32 * i + 32)
            return self.x[rows].toarray(), self.y[rows]
    x, y = sparse.random(100, 3, density=0.5, format="csr", random_state=0), np.arange(100.0)
    monkeypatch.setattr(tables, "LARGEST_DENSE", 1199)
    is_refused(model, "sparse matrix", x)
    before = model.get_weights()
    from_batches = model.fit(Batches(x, y), shuffle=False, verbose=0).history
    model.set_weights(before)
    monkeypatch.setattr(tables, "LARGEST_DENSE", 1200)
    assert model.fit(x, y, shuffle=False, verbose=0).history == from_batches


def test_masked_rows_and_numbers_among_text_are_found(model):
    row = np.ma.masked_array([1, 2, 3], [0, 1, 0])
    is_refused(model, "masked array, whose masked values would count", [row, row])
    is_refused(model, r"got dtype object, where input\[1, 2\] is 'x'", np.array([[1, 2, 3], [4, 5, "x"]], object))
