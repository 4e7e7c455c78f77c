"""MNIST: 70,000 images of handwritten digits, in the original files, which are part of the package.

By Yann LeCun, Corinna Cortes and Christopher J. C. Burges; licence CC BY-SA 3.0.
"""
from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np

from tinynet.types import Any, Array, Shape, Split

FOLDER = Path(__file__).parent / "mnist_data"

# SHA-256 of each file, uncompressed, and the shape of its array.
FILES: dict[Any, Any] = {
    "train-images-idx3-ubyte.gz": ("ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db", (60000, 28, 28)),
    "train-labels-idx1-ubyte.gz": ("65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5", (60000,)),
    "t10k-images-idx3-ubyte.gz": ("0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7", (10000, 28, 28)),
    "t10k-labels-idx1-ubyte.gz": ("ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2", (10000,)),
}


def load_data(path: str | Path | None = None) -> Split:
    """`(x_train, y_train), (x_test, y_test)`: uint8 images (60000, 28, 28) and (10000, 28, 28), 0 white to 255
    black, and their digits (60000,) and (10000,).

    Parameters
        path: a folder with the four original .gz files; the package's own by default.

    Raises ValueError for a file that is missing, truncated, damaged or another one.

    >>> (x_train, y_train), (x_test, y_test) = load_data()
    >>> x_train.shape, y_train[:5]
    ((60000, 28, 28), array([5, 0, 4, 1, 9], dtype=uint8))
    """
    folder = FOLDER if path is None else Path(path)
    if not folder.is_dir():
        raise ValueError(f"mnist.load_data: path must be a folder that holds {', '.join(FILES)}; {str(path)!r} is "
                         "not one. Without a path it reads the files that come with tinynet.")
    from concurrent.futures import ThreadPoolExecutor       # here, because training does not need it
    with ThreadPoolExecutor() as pool:      # decompression and hashing release the GIL
        images, labels, test_images, test_labels = pool.map(
            lambda name: read_idx(folder / name, *FILES[name]), FILES)
    return (images, labels), (test_images, test_labels)


def read_idx(path: Path, sha256: str | None, shape: Shape) -> Array:
    """The uint8 array of a gzipped IDX file, checked by the SHA-256 of its content, or by gzip's if it is None.

    The format: two zero bytes, 8 for uint8, the number of axes; the length of each axis in four bytes, the highest
    first; the numbers.  Source: LeCun's own description of "the IDX file format".
    """
    path = Path(path)
    expected = 4 + 4 * len(shape) + int(np.prod(shape))
    try:
        packed = path.read_bytes()
        unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)       # 16: a gzip file
        content = unpacker.decompress(packed, expected + 1)             # never more memory than a good file needs
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}.") from error
    except zlib.error as error:
        raise ValueError(f"{path} is damaged, or not a gzip file: {error}.") from error
    if len(content) < expected:
        raise ValueError(f"{path} is truncated: it holds {len(content):,} of {expected:,} bytes.")
    header = bytes([0, 0, 8, len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape)
    if not content.startswith(header) or len(content) > expected or not unpacker.eof:
        raise ValueError(f"{path} is damaged, or another file: it is not an IDX file of shape {shape}.")
    import hashlib      # here, because the import takes long
    digest = hashlib.sha256(content).hexdigest()
    if sha256 is not None and digest != sha256:
        raise ValueError(f"{path} is damaged, or another file: its SHA-256 is {digest}, expected {sha256}.")
    return np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape)).reshape(shape).copy()
