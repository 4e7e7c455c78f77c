"""A file is written whole or not at all."""
import os
import stat

import pytest

import harm
from tinynet.models import load_model
from tinynet.saving import atomic_write, file_format


def test_no_kill_loses_a_file(tmp_path):
    assert harm.kill_while_saving(tmp_path, 30) == {"lost": 0, "older": 0, "stale": 0}


def test_left_over_files_of_the_dead_go_and_of_the_living_stay(tmp_path):
    target = tmp_path / "model"
    prefix = atomic_write._prefix("model")
    dead, other = tmp_path / f"{prefix}{'0' * 16}.tmp", tmp_path / f"{atomic_write._prefix('model2')}{'0' * 16}.tmp"
    dead.write_text("")
    other.write_text("")
    living = tmp_path / f"{prefix}{'1' * 16}.tmp"
    with open(living, "w") as file:
        assert atomic_write._lock(file.fileno())
        atomic_write.write(target, b"new")
    assert not dead.exists() and living.exists() and other.exists() and target.read_bytes() == b"new"


def test_the_file_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    calls = []
    for name in ("write", "fsync", "replace"):
        inner = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, inner=inner, name=name: (
            calls.append((name, name == "fsync" and stat.S_ISDIR(os.fstat(a[0]).st_mode))), inner(*a))[1])
    atomic_write.write(tmp_path / "model", b"data")
    assert calls == [("write", False), ("fsync", False), ("replace", False), ("fsync", True)]


def test_permissions_are_the_umask_s_and_links_stay(tmp_path):
    before = os.umask(0o027)
    try:
        (tmp_path / "real").mkdir()
        link = tmp_path / "link"
        link.symlink_to(tmp_path / "real" / "model")
        atomic_write.write(link, b"one")
        atomic_write.write(link, b"two")
    finally:
        os.umask(before)
    assert link.is_symlink() and (tmp_path / "real" / "model").read_bytes() == b"two"
    assert stat.S_IMODE((tmp_path / "real" / "model").stat().st_mode) == 0o640


def test_a_full_disk_leaves_the_old_file(model, path):
    model.save(path)
    for raised, unharmed in harm.full_disk(path, model.save, [0, 1, 100, 1000, 2000]):
        assert raised == "OSError" and unharmed


@pytest.mark.parametrize("where", ["write", "fsync", "replace"])
@pytest.mark.parametrize("error", [PermissionError, KeyboardInterrupt])
def test_an_error_while_saving_leaves_the_old_file(model, path, monkeypatch, where, error):
    model.save(path)
    before = path.read_bytes()

    def fail(*arguments):
        raise error("no")
    monkeypatch.setattr(os, where, fail)
    with pytest.raises(error):
        model.save(path)
    assert path.read_bytes() == before and os.listdir(path.parent) == [path.name]


def test_a_missing_folder_and_a_folder_are_clear_errors(model, tmp_path):
    with pytest.raises(FileNotFoundError):
        model.save(tmp_path / "missing" / "model")
    with pytest.raises(IsADirectoryError, match="expected the name of a file"):
        model.save(tmp_path)
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "missing")


def test_an_old_file_keeps_its_permissions(tmp_path):
    atomic_write.write(tmp_path / "model", b"one")
    os.chmod(tmp_path / "model", 0o604)
    atomic_write.write(tmp_path / "model", b"two")
    assert stat.S_IMODE((tmp_path / "model").stat().st_mode) == 0o604


@pytest.mark.parametrize("name", ["模型" * 42 + "型", "é" * 127, "x" * 255])
def test_a_name_may_be_as_long_as_the_file_system_allows(model, tmp_path, name):
    model.save(tmp_path / name)
    assert os.listdir(tmp_path) == [name] and load_model(tmp_path / name).get_config() == model.get_config()


def test_a_path_may_be_bytes(model, tmp_path):
    for name in ("model", "model.h5"):
        path = os.fsencode(tmp_path / name)
        model.save(path)
        assert load_model(path).get_config() == model.get_config()
        model.load_weights(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_or_a_device_is_not_replaced(model, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/null"):
        with pytest.raises(OSError, match="is a device or a pipe, which a file would replace"):
            model.save(path)
        with pytest.raises(OSError, match="is not an ordinary file"):
            load_model(path)        # and does not wait for somebody to write into it
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode) and os.listdir(tmp_path) == ["pipe"]


def test_a_path_that_ends_in_a_slash_is_a_folder_s(model, tmp_path):
    with pytest.raises(IsADirectoryError, match="expected the name of a file"):
        model.save(f"{tmp_path}/model/")
    assert not os.listdir(tmp_path)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_several_processes_may_save_to_one_path(tmp_path):
    children = []
    for number in range(4):
        children.append(os.fork())
        if not children[-1]:
            try:
                for _ in range(200):
                    atomic_write.write(tmp_path / "model", bytes([number]) * 100)
                os._exit(0)
            finally:
                os._exit(1)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert codes == [0] * 4 and os.listdir(tmp_path) == ["model"]
    assert len(set((tmp_path / "model").read_bytes())) == 1


def test_bytes_are_written_as_they_are(tmp_path, monkeypatch):
    """On Windows a file is opened as text unless O_BINARY says otherwise, and a newline would become two bytes."""
    flags, inner = [], os.open
    monkeypatch.setattr(os, "O_BINARY", 0x4000_0000, raising=False)
    monkeypatch.setattr(os, "open", lambda path, flag, *more: (flags.append(flag), inner(
        path, flag & ~0x4000_0000, *more))[1])
    raw = file_format.encode({}, {"note": "\n"})
    atomic_write.write(tmp_path / "model", raw)
    assert file_format.read(tmp_path / "model") == raw
    assert [bool(flag & 0x4000_0000) for flag in flags] == [True, False, True]      # the file, the folder, the file
