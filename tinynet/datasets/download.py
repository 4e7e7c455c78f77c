"""get_file: download a file once and keep it."""
from __future__ import annotations

import os
from pathlib import Path

from tinynet.types import Any


def get_file(fname: Any, origin: str, md5_hash: str | None = None, file_hash: str | None = None,
             cache_subdir: str = "datasets", hash_algorithm: str = "auto", cache_dir: Any = None) -> Any:
    """The path of a file that is downloaded once, from the URL `origin`, into a folder of the user.

    Parameters
        fname: its name there, or an absolute path.
        md5_hash, file_hash: its MD5, or its SHA-256 if the hash has 64 digits.
        hash_algorithm: "md5", "sha256", or "auto", by the length of file_hash.
        cache_dir, cache_subdir: the folder, $KERAS_HOME or ~/.keras, and in it datasets, by default.

    A failed download leaves no file, and a file is never unpacked.
    Raises OSError if it cannot be downloaded, ValueError if it is not the expected file.
    Source: keras/utils/data_utils.py of Keras 2.3.1.
    """
    import http.client
    import shutil
    import tempfile         # here, because these take a third of the time of `import tinynet`
    import urllib.error
    import urllib.request
    folder = Path(cache_dir or keras_folder()) / cache_subdir
    if ".." in Path(fname).parts or not isinstance(origin, str):
        raise ValueError(f"get_file expects a name within the folder and a URL, got {fname!r} and {origin!r}.")
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


def keras_folder() -> Path:
    """The folder in which Keras keeps files: $KERAS_HOME or ~/.keras."""
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")


def _is(path, expected, algorithm) -> bool:
    """Whether a file has the expected hash, if one is given."""
    if not expected:
        return True
    import hashlib
    digest = hashlib.new(algorithm)
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest() == expected
