"""A file that is there whole or not at all, whatever happens while it is written; it must not know what it holds."""
from __future__ import annotations

import contextlib
import os
import re

from tinynet.distributed.meeting import by_first

try:
    import fcntl
except ImportError:     # Windows, which refuses to remove a file that is open
    fcntl = None        # type: ignore[assignment]

__all__ = ["write"]


def write(path, data: bytes, overwrite=True) -> None:
    """Let the file hold the data, on the disk, when this returns; a crash at any moment leaves the old file or the new.

    The data goes to a temporary file beside it and is on the disk before that takes the file's name; then the folder is
    brought to the disk, too.  A link stays, and the file it points to changes.  The permissions are what the umask
    says.  Temporary files that a killed process has left are removed.

    Where training is distributed rank 0 writes, and the others wait for it.

    Raises OSError, with the old file as it was, when the disk is full, or the folder is missing or not writable;
    FileExistsError when there is one and overwrite is False.
    Source: rename(2) and fsync(2) of POSIX.1-2017.
    """
    by_first(f"saving {os.path.basename(os.fspath(path))}", lambda: _write(path, data, overwrite))


def _write(path, data, overwrite):
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
            _hold(descriptor)
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


def _hold(descriptor) -> bool:
    """Mark an open file as being written, which ends with the process; False if another one has marked it."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove_left_over(folder, name):
    """Remove the temporary files of this name that nobody is writing."""
    pattern = re.compile(re.escape(f".{name[:100]}.") + r"[0-9a-f]{16}\.tmp")
    for entry in os.listdir(folder):
        if pattern.fullmatch(entry):
            with contextlib.suppress(OSError):
                descriptor = os.open(os.path.join(folder, entry), os.O_WRONLY)
                try:
                    if _hold(descriptor):
                        os.unlink(os.path.join(folder, entry))
                finally:
                    os.close(descriptor)
