"""Small things that every script needs around a model: one-hot labels, unit vectors, one seed for all, a file."""
from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import numpy as np

from tinynet.arguments import whole_number
from tinynet.dataset import Sequence
from tinynet.progress import ProgressBar, as_text
from tinynet.random import set_random_seed
from tinynet.registry import CustomObjectScope, custom_object_scope, get_custom_objects

__all__ = ["CustomObjectScope", "Progbar", "Sequence", "custom_object_scope", "get_custom_objects", "get_file",
           "normalize", "set_random_seed", "to_categorical"]


def to_categorical(y, num_classes=None, dtype="float32"):
    """One row for each class number: all 0 but a 1 at the class.

    Parameters
        y: class numbers, (N,), (N, 1) or any other shape; 0 <= y < C.
        num_classes: C; the largest of y and one more by default.
        dtype: of the result.

    Shapes: (N,) or (N, 1) to (N, C); (A, B) to (A, B, C).

    Raises ValueError for labels that are not whole numbers from 0 to C - 1 (Keras 2.3.1 cuts off fractions and counts
    negative labels from the end).

    Source: keras/utils/np_utils.py of Keras 2.3.1.

    >>> to_categorical([0, 2])
    array([[1., 0., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    labels = np.asarray(y)
    if labels.dtype.kind not in "fiub" and labels.size:
        raise ValueError(f"to_categorical expects whole numbers, got an array of dtype {labels.dtype}.")
    if not np.isfinite(labels).all() or (labels != np.rint(labels)).any() or (np.abs(labels) > 2**31).any():
        raise ValueError("to_categorical expects whole numbers, got fractions, NaN, infinity or more than 2**31.")
    labels = labels.astype(int)
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if not labels.size and not num_classes:
        raise ValueError("to_categorical cannot tell the number of classes from no labels: give num_classes.")
    classes = num_classes or int(labels.max()) + 1
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(f"to_categorical with {classes} classes expects labels from 0 to {classes - 1}, got "
                         f"{labels.min()} to {labels.max()}. Number the classes from 0, or raise num_classes.")
    result = np.zeros((*labels.shape, classes), dtype)
    np.put_along_axis(result, labels[..., np.newaxis], 1, axis=-1)
    return result


def normalize(x, axis=-1, order=2):
    """x divided by its norm of that order along `axis`; vectors of zeros stay as they are.

    Raises ValueError for an axis that x does not have.
    Source: keras/utils/np_utils.py of Keras 2.3.1.

    >>> normalize(np.array([[3.0, 4.0], [0.0, 0.0]]))
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    axis = whole_number("axis", axis, least=-np.ndim(x), below=max(np.ndim(x), 1))
    norms = np.atleast_1d(np.linalg.norm(x, order, axis))
    norms[norms == 0] = 1
    return x / np.expand_dims(norms, axis)


class Progbar:
    """A bar over `target` steps of a loop of your own, with the running means of the values beside it.

    Parameters
        target: steps in all.
        verbose: 0 silent, 1 a live bar and then a line, 2 the line alone.
        stateful_metrics: names whose last value is shown, not the mean.

    Source: keras/utils/generic_utils.py of Keras 2.3.1.

    >>> bar = Progbar(2, verbose=2)
    >>> for i in range(2): bar.add(1, [("loss", i)])
    2/2 - 0s - loss: 0.5000
    """

    def __init__(self, target, verbose=1, stateful_metrics=()):
        self.target, self.verbose, self.stateful_metrics = target, verbose, set(stateful_metrics or ())
        self.bar = ProgressBar("", target, shown=verbose == 1)
        self.seen = 0
        self.sums: dict[str, list[float]] = {}

    def update(self, current, values=()):
        """Move the bar to step `current`; values are (name, value) of the steps since the last call."""
        for name, value in values or ():
            steps = current - self.seen
            total, count = self.sums.get(name, [0.0, 0])
            self.sums[name] = [value, 1] if name in self.stateful_metrics else [total + value * steps, count + steps]
        self.seen = current
        text = as_text({name: total / max(count, 1) for name, (total, count) in self.sums.items()})
        if self.bar.due():
            self.bar.move(current, text)
        if self.target is not None and current >= self.target:
            seconds = self.bar.close()
            if self.verbose:
                print(f"{current}/{self.target} - {seconds:.0f}s" + (f" - {text}" if text else ""), flush=True)

    def add(self, n, values=()):
        """Move the bar on by n steps."""
        self.update(self.seen + n, values)


def get_file(fname, origin, md5_hash=None, file_hash=None, cache_subdir="datasets", hash_algorithm="auto",
             cache_dir=None):
    """The path of a file that is fetched once, from the address `origin`, and kept in a folder of the user's.

    Parameters
        fname: its name there, or an absolute path.
        md5_hash, file_hash: what its MD5, or SHA-256 if it is longer, must be.
        hash_algorithm: "md5", "sha256", or "auto", by the length of file_hash.
        cache_dir, cache_subdir: the folder, $KERAS_HOME or ~/.keras, and in it datasets, by default.

    Nothing is left where a download fails, and a file is never unpacked.
    Raises OSError where it cannot be fetched, ValueError where it is not the file that was expected.
    Source: keras/utils/data_utils.py of Keras 2.3.1.
    """
    import http.client
    import tempfile         # these here because they would take a third of the time of `import tinynet`
    import urllib.error
    import urllib.request
    folder = Path(cache_dir or os.environ.get("KERAS_HOME") or Path.home() / ".keras") / cache_subdir
    if ".." in Path(fname).parts or not isinstance(origin, str):
        raise ValueError(f"get_file expects a name within the folder and an address, got {fname!r} and {origin!r}.")
    path = folder / fname
    expected = (file_hash or md5_hash or "").lower()
    algorithm = hash_algorithm if hash_algorithm != "auto" else "sha256" if len(expected) == 64 else "md5"
    if path.exists() and _is(path, expected, algorithm):
        return str(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as part:
        try:
            with urllib.request.urlopen(origin) as response:
                shutil.copyfileobj(response, part)
                promised = response.headers.get("Content-Length")
            part.flush()
            if promised is not None and part.tell() != int(promised):
                raise OSError(f"The download of {origin} ended after {part.tell():,} of {int(promised):,} bytes.")
            if not _is(part.name, expected, algorithm):
                raise ValueError(f"The file at {origin} is damaged, or another one: its {algorithm} is not {expected}.")
            os.replace(part.name, path)
        except (urllib.error.URLError, http.client.HTTPException) as error:
            raise OSError(f"URL fetch failure on {origin}: {getattr(error, 'reason', error)}. Put the file at {path} "
                          "by hand.") from error
        finally:
            Path(part.name).unlink(missing_ok=True)
    return str(path)


def _is(path, expected, algorithm) -> bool:
    """Whether a file has the hash that was expected, if one was."""
    if not expected:
        return True
    digest = hashlib.new(algorithm)
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest() == expected
