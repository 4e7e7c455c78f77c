"""Atomic writes: after a crash at any moment the old file or the new one is there, complete."""
from __future__ import annotations

import contextlib
import os
import re
import stat

from tinynet.saving.fingerprint import sha256
from tinynet.types import Path

try:
    import fcntl
except ImportError:     # Windows, which refuses to remove a file that is open
    fcntl = None        # type: ignore[assignment]


def write(path: Path, data: bytes, overwrite: bool = True) -> None:
    """Write data to a file; it is on the disk when this returns.

    The data goes to a temporary file in the same folder, which is flushed to the disk and then renamed; then the folder
    is flushed. A link is kept, and the file it points to changes. The permissions are those of the old file; those of a
    new one follow the umask. Temporary files that a killed process has left are removed.

    Raises OSError, with the old file unchanged, if the disk is full, or the folder is missing or not writable, or the
    path is that of a folder or device; FileExistsError if the file exists and overwrite is False.
    Source: rename(2) and fsync(2) of POSIX.1-2017.
    """
    path = os.fsdecode(path)
    if not overwrite and os.path.exists(path):
        raise FileExistsError(f"There is a file {path} already, and overwrite is False.")
    target = os.path.realpath(path)
    folder, name = os.path.split(target)
    if os.path.isdir(target) or not os.path.basename(path):
        raise IsADirectoryError(f"{path} is a folder; expected the name of a file, such as "
                                f"{os.path.join(path, 'model.safetensors')}.")
    if os.path.exists(target) and not os.path.isfile(target):
        raise OSError(f"{path} is a device or a pipe, which a file would replace. Expected the name of a file.")
    try:
        _remove_left_over(folder, name)
        _write_and_rename(folder, name, data)
        if hasattr(os, "O_DIRECTORY"):
            _flush(folder)
    except OSError as error:
        error.filename = path
        raise


def _write_and_rename(folder, name, data):
    target = os.path.join(folder, name)
    temporary, descriptor = _new_file(folder, name)
    try:
        try:
            if os.path.exists(target) and hasattr(os, "fchmod"):
                with contextlib.suppress(PermissionError):      # of a file system without permissions
                    os.fchmod(descriptor, stat.S_IMODE(os.stat(target).st_mode))
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest):]
            os.fsync(descriptor)
            if fcntl is not None:       # as long as it is locked: another process could remove it
                os.replace(temporary, target)
        finally:
            os.close(descriptor)
        if fcntl is None:
            os.replace(temporary, target)
    except BaseException:       # Ctrl-C too
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _new_file(folder, name):
    """(path, descriptor) of a new temporary file, which is locked until it is closed."""
    while True:
        path = os.path.join(folder, f"{_prefix(name)}{os.urandom(8).hex()}.tmp")
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        _lock(descriptor, wait=True)
        if os.fstat(descriptor).st_nlink:
            return path, descriptor
        os.close(descriptor)    # another process has removed it before it was locked


def _prefix(name) -> str:
    """The beginning of the names of temporary files for a file: short, while its own name may have 255 bytes."""
    return f".tinynet-{sha256(os.fsencode(name))[:16]}-"


def _lock(descriptor, wait=False) -> bool:
    """Lock an open file until this process ends or closes it; False if another process has locked it."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def _remove_left_over(folder, name):
    """Remove the temporary files of this name that no process is writing."""
    pattern = re.compile(re.escape(_prefix(name)) + r"[0-9a-f]{16}\.tmp")
    for entry in os.listdir(folder):
        if pattern.fullmatch(entry):
            with contextlib.suppress(OSError):
                descriptor = os.open(os.path.join(folder, entry), os.O_WRONLY)
                try:
                    if _lock(descriptor):
                        os.unlink(os.path.join(folder, entry))
                finally:
                    os.close(descriptor)


def _flush(folder):
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
