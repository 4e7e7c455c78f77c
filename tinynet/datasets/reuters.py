"""Reuters: 11,228 newswires as lists of word numbers, in 46 topics."""
from __future__ import annotations

import numpy as np

from tinynet.datasets.arrays import data_file, read_npz
from tinynet.datasets.words import as_array, numbered, read_index
from tinynet.types import Any, Path, Split

HASH = "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916"


def load_data(path: Path | None = None, num_words: int | None = None, skip_top: int = 0, maxlen: int | None = None,
              test_split: float = 0.2, seed: int | None = 113, start_char: int | None = 1, oov_char: int | None = 2,
              index_from: int | None = 3, **unknown: Any) -> Split:
    """`(x_train, y_train), (x_test, y_test)`: arrays of lists of word numbers, and their topics.

    Parameters
        path: the file; by default Keras's reuters.npz in ~/.keras/datasets, downloaded if it is not there.
        num_words, skip_top: words with a number from num_words on, or below skip_top, are rare or too common: they are
            replaced by oov_char, or left out if that is None.
        maxlen: texts of this length and longer are left out.
        test_split: the fraction of the texts in the test set.
        seed: of the order of the texts.
        start_char: the first number of each text, or None.
        index_from: is added to the number of each word.

    To learn from them with dense layers, make a row of 0 and 1 of each text, one for each word.
    Raises OSError if there is no file, ValueError if it is damaged.
    Source: keras/datasets/reuters.py of Keras 2.3.1.
    """
    texts, labels = read_npz(data_file(path, "reuters.npz", HASH), ["x", "y"])
    order = np.arange(len(texts))
    np.random.RandomState(seed).shuffle(order)
    texts, labels = numbered(texts[order], labels[order], num_words, skip_top, maxlen, start_char, oov_char, index_from,
                             **unknown)
    count = int(len(texts) * (1 - test_split))
    return (as_array(texts[:count]), labels[:count]), (as_array(texts[count:]), labels[count:])


def get_word_index(path: Path | None = None) -> dict[str, int]:
    """{word: its number}, of Keras's reuters_word_index.json."""
    return read_index(data_file(path, "reuters_word_index.json", "4d44cc38712099c9e383dc6e5f11a921"))
