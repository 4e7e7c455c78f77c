"""MNIST comes with the package, whole and unharmed; a damaged copy is never loaded."""
import gzip
import hashlib
import shutil

import numpy as np
import pytest

from tinynet.datasets import fashion_mnist, mnist

LABELS = "t10k-labels-idx1-ubyte.gz"


def test_load_data_has_keras_shapes():
    (x_train, y_train), (x_test, y_test) = mnist.load_data()
    arrays = (x_train, y_train, x_test, y_test)
    assert [a.shape for a in arrays] == [(60000, 28, 28), (60000,), (10000, 28, 28), (10000,)]
    assert all(a.dtype == np.uint8 and a.flags.writeable for a in arrays)
    assert np.bincount(y_train).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert x_test.max() == 255 and x_test.min() == 0


def test_the_data_is_small_enough_to_ship():
    assert sum(path.stat().st_size for path in mnist.FOLDER.iterdir()) <= 12e6


def damaged(tmp_path, change):
    """A copy of the test labels, changed; returns its path."""
    path = tmp_path / LABELS
    path.write_bytes(change((mnist.FOLDER / LABELS).read_bytes()))
    return path


@pytest.mark.parametrize("change, message", [
    (lambda data: data[:-100], "is truncated: it holds .* of 10,008 bytes|is damaged"),
    (lambda data: b"", "is truncated: it holds 0 of 10,008 bytes"),
    (lambda data: data[:2000] + bytes([data[2000] ^ 1]) + data[2001:], "is damaged"),
    (lambda data: b"PK" + data[2:], "is damaged, or not a gzip file"),
    (lambda data: gzip.compress(gzip.decompress(data)[:-1] + b"\x09"), "is damaged, or another file: its SHA-256 is"),
    (lambda data: gzip.compress(b"hello"), "is truncated: it holds 5 of"),
    (lambda data: gzip.compress(bytes(10**7)), "is damaged, or another file"),
], ids=["cut", "empty", "one bit", "no gzip", "one label", "short", "long"])
def test_a_damaged_file_is_named(tmp_path, change, message):
    path = damaged(tmp_path, change)
    with pytest.raises(ValueError, match=message) as error:
        mnist.read_idx(path, *mnist.FILES[LABELS])
    assert str(path) in str(error.value)


def test_load_data_reads_another_folder(tmp_path):
    for name in mnist.FILES:
        shutil.copy(mnist.FOLDER / name, tmp_path)
    assert mnist.load_data(tmp_path)[1][1].shape == (10000,)
    (tmp_path / LABELS).unlink()
    with pytest.raises(ValueError, match=f"{LABELS} cannot be read: No such file"):
        mnist.load_data(tmp_path)
    with pytest.raises(ValueError, match="'mnist.npz' is not one. Without a path it reads the files that come with"):
        mnist.load_data("mnist.npz")


def test_the_checksums_are_those_of_the_uncompressed_files():
    content = gzip.decompress((mnist.FOLDER / LABELS).read_bytes())
    assert hashlib.sha256(content).hexdigest() == mnist.FILES[LABELS][0]


@pytest.fixture
def clothes(tmp_path):
    """A folder with four files in Fashion-MNIST's format."""
    for name, (_, shape) in mnist.FILES.items():
        header = bytes([0, 0, 8, len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape)
        (tmp_path / name).write_bytes(gzip.compress(header + bytes([len(name) % 10]) * int(np.prod(shape)), 1))
    return tmp_path


def test_fashion_mnist_is_read_from_local_files(clothes, monkeypatch):
    (x_train, y_train), (x_test, y_test) = fashion_mnist.load_data(clothes)
    assert [a.shape for a in (x_train, y_train, x_test, y_test)] == [
        (60000, 28, 28), (60000,), (10000, 28, 28), (10000,)]
    assert set(y_test) == {len(LABELS) % 10}
    monkeypatch.setenv("KERAS_HOME", str(clothes / "keras"))
    with pytest.raises(ValueError, match="there is no folder .*fashion-mnist'. Put train-images.* of Fashion-MN"):
        fashion_mnist.load_data()
    (clothes / "keras" / "datasets").mkdir(parents=True)
    (clothes / "keras" / "datasets" / "fashion-mnist").symlink_to(clothes)
    assert (fashion_mnist.load_data()[0][0] == x_train).all()


@pytest.mark.parametrize("spoil", [
    lambda packed: packed[:-9], lambda packed: packed[:-6] + b"\0" + packed[-5:],
    lambda packed: gzip.compress(b"\0\0\x08\x01" + gzip.decompress(packed)[4:-1] + b"??"),
    lambda packed: gzip.compress(b"\0\0\x09\x01" + gzip.decompress(packed)[4:]), lambda packed: b""],
    ids=["cut short", "checksum", "too long", "another type", "empty"])
def test_a_damaged_file_of_clothes_is_refused(clothes, spoil):
    path = clothes / LABELS
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(ValueError, match=LABELS):
        fashion_mnist.load_data(clothes)
