"""IMDB: 50,000 reviews of films as lists of word numbers, 1 for the good ones and 0 for the others."""
from __future__ import annotations

import numpy as np

from tinynet.datasets.arrays import data_file, read_npz
from tinynet.datasets.words import as_array, numbered, read_index
from tinynet.types import Any, Path, Split


def load_data(path: Path | None = None, num_words: int | None = None, skip_top: int = 0, maxlen: int | None = None,
              seed: int | None = 113, start_char: int | None = 1, oov_char: int | None = 2, index_from: int | None = 3,
              **unknown: Any) -> Split:
    """`(x_train, y_train), (x_test, y_test)`: 25,000 texts each, as arrays of lists of word numbers, and 0 or 1.

    Parameters as for `tinynet.datasets.reuters.load_data`, without test_split; the file is Keras's imdb.npz. With
    maxlen the first 25,000 texts that are left are the training set, as in Keras.

    Raises OSError if there is no file, ValueError if it is damaged.
    Source: keras/datasets/imdb.py of Keras 2.3.1.
    """
    x_train, y_train, x_test, y_test = read_npz(
        data_file(path, "imdb.npz", "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f"),
        ["x_train", "y_train", "x_test", "y_test"])
    random = np.random.RandomState(seed)
    parts = []
    for texts, labels in ((x_train, y_train), (x_test, y_test)):
        order = np.arange(len(texts))
        random.shuffle(order)
        parts.append((texts[order], labels[order]))
    texts, labels = (np.concatenate(both) for both in zip(*parts))
    texts, labels = numbered(texts, labels, num_words, skip_top, maxlen, start_char, oov_char, index_from, **unknown)
    count = len(x_train)
    return (as_array(texts[:count]), labels[:count]), (as_array(texts[count:]), labels[count:])


def get_word_index(path: Path | None = None) -> dict[str, int]:
    """{word: its number}, of Keras's imdb_word_index.json."""
    return read_index(data_file(path, "imdb_word_index.json", "bfafd718b763782e994055a2d397834f"))
