"""A file is written whole or not at all."""
import os
import stat

import pytest

import harm
from tinynet.models import load_model
from tinynet.saving import atomic_write


def test_no_kill_loses_a_file(tmp_path):
    assert harm.kill_while_saving(tmp_path, 30) == {"lost": 0, "older": 0, "stale": 0}


def test_left_over_files_of_the_dead_go_and_of_the_living_stay(tmp_path):
    target = tmp_path / "model"
    dead, other = tmp_path / f".model.{'0' * 16}.tmp", tmp_path / ".model2.0123456789abcdef.tmp"
    dead.write_text("")
    other.write_text("")
    living = tmp_path / f".model.{'1' * 16}.tmp"
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
