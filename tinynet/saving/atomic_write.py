"""Atomic writes: after a crash at any moment the old file or the new one is there, complete."""
from __future__ import annotations

import contextlib
import os
import re

try:
    import fcntl
except ImportError:     # Windows, which refuses to remove a file that is open
    fcntl = None        # type: ignore[assignment]


def write(path, data: bytes, overwrite=True) -> None:
    """Write data to a file; it is on the disk when this returns.

    The data goes to a temporary file in the same folder, which is flushed to the disk and then renamed; then the folder
    is flushed. A link is kept, and the file it points to changes. The permissions follow the umask. Temporary files
    that a killed process has left are removed.

    Raises OSError, with the old file unchanged, if the disk is full, or the folder is missing or not writable;
    FileExistsError if the file exists and overwrite is False.
    Source: rename(2) and fsync(2) of POSIX.1-2017.
    """
    if not overwrite and os.path.exists(os.fspath(path)):
        raise FileExistsError(f"There is a file {path} already, and overwrite is False.")
    target = os.path.realpath(os.fspath(path))
    folder, name = os.path.split(target)
    if os.path.isdir(target):
        raise IsADirectoryError(f"{path} is a folder; expected the name of a file, such as {path}/model.safetensors.")
    _remove_left_over(folder, name)
    temporary = os.path.join(folder, f".{name[:100]}.{os.urandom(8).hex()}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            _lock(descriptor)
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest):]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, target)
    except BaseException as error:      # Ctrl-C too
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError):
            error.filename = os.fspath(path)
        raise
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _lock(descriptor) -> bool:
    """Lock an open file until this process ends; False if another process has locked it."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove_left_over(folder, name):
    """Remove the temporary files of this name that no process is writing."""
    pattern = re.compile(re.escape(f".{name[:100]}.") + r"[0-9a-f]{16}\.tmp")
    for entry in os.listdir(folder):
        if pattern.fullmatch(entry):
            with contextlib.suppress(OSError):
                descriptor = os.open(os.path.join(folder, entry), os.O_WRONLY)
                try:
                    if _lock(descriptor):
                        os.unlink(os.path.join(folder, entry))
                finally:
                    os.close(descriptor)
