"""Texts as lists of word numbers, in Keras's format: the most frequent word has the lowest number."""
from __future__ import annotations

import json
import warnings

import numpy as np

from tinynet.types import Any, Path


def numbered(texts: Any, labels: Any, num_words: int | None, skip_top: int, maxlen: int | None,
             start_char: int | None, oov_char: int | None, index_from: int | None, **unknown: Any) -> tuple[Any, Any]:
    """The texts with Keras's numbers: a start mark, all words moved up by index_from, rare ones replaced by oov_char.

    Raises ValueError if no text is shorter than maxlen, TypeError for an unknown argument.
    Source: keras/datasets/imdb.py of Keras 2.3.1.
    """
    if "nb_words" in unknown:
        warnings.warn("The `nb_words` argument in `load_data` has been renamed `num_words`.", stacklevel=3)
        num_words = unknown.pop("nb_words")
    if unknown:
        raise TypeError(f"Unrecognized keyword arguments: {unknown}")
    start = [] if start_char is None else [start_char]
    moved = index_from or 0
    texts = [start + [word + moved for word in text] for text in texts]
    if maxlen:
        kept = [i for i, text in enumerate(texts) if len(text) < maxlen]
        texts, labels = [texts[i] for i in kept], labels[kept]
        if not texts:
            raise ValueError(f"After filtering for sequences shorter than maxlen={maxlen}, no sequence was kept. "
                             "Increase maxlen.")
    num_words = num_words or max(max(text) for text in texts)
    texts = [[word if skip_top <= word < num_words else oov_char for word in text
              if oov_char is not None or skip_top <= word < num_words] for text in texts]
    return texts, labels


def as_array(texts: list[Any]) -> np.ndarray:
    """An array of lists."""
    result = np.empty(len(texts), dtype=object)
    result[:] = texts
    return result


def read_index(path: Path) -> dict[str, int]:
    """{word: its number} of a JSON file."""
    with open(path, encoding="utf-8") as file:
        return json.load(file)
