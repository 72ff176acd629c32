"""The build as a file operation: what it refuses, and that the cache holds whole builds only. No compiler is run."""

import json
import threading
import time
from pathlib import Path

import pytest

from mlip_sse.errors import MissingExtraError, RunError
from mlip_sse.potentials.lammps_plugin import build
from mlip_sse.potentials.lammps_plugin.build import Compiler, build_plugin, find_compiler
from mlip_sse.potentials.lammps_plugin.cached_plugin import (
    LIBRARY_FILE,
    PLUGIN_FILE,
    RECORD_FILE,
    BuildEnvironment,
    built_folder,
)

COMPILER = Compiler(("g++",), "g++ 12.2.0")


def script(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """Give an empty cache, and an installation of LAMMPS and torch with the header that is asked for."""
    (tmp_path / "lammps" / "include" / "lammps").mkdir(parents=True)
    (tmp_path / "lammps" / "include" / "lammps" / "pair.h").touch()
    found = BuildEnvironment("2025.7.22.4.0", "2.13.0+cpu", tmp_path / "lammps", tmp_path / "torch")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(BuildEnvironment, "installed", classmethod(lambda cls: found))
    monkeypatch.setattr(build, "_mpi_headers", lambda: tmp_path)
    monkeypatch.setattr(build, "_announce", lambda folder: None)
    return found


@pytest.fixture
def fake_compiler(monkeypatch):
    """Let the compiler write its name into the file, and the trial succeed; return the list of compiled files."""
    made = []

    def compile_one(command, partial, name, folder):
        time.sleep(0.02)
        (partial / name).write_text(command[0])
        made.append(name)

    monkeypatch.setattr(build, "_compile", compile_one)
    monkeypatch.setattr(build, "_try_out", lambda partial: None)
    monkeypatch.setattr(build, "find_compiler", lambda: COMPILER)
    return made


def test_without_a_compiler_it_says_what_to_do(environment, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(RunError, match=r"found no C\+\+ compiler .*: apt-get install g\+\+") as caught:
        build_plugin()
    assert "\n" not in str(caught.value)
    assert not environment.folder.exists()


def test_without_a_compiler_a_build_that_is_there_serves(environment, fake_compiler, monkeypatch):
    first = build_plugin()
    monkeypatch.setattr(build, "find_compiler", lambda: None)
    again = build_plugin()
    assert (first.new, again.new) == (True, False)
    assert again.folder == first.folder == built_folder()
    with pytest.raises(RunError, match="found no C"):
        build_plugin(rebuild=True)


@pytest.mark.parametrize(("missing", "extra"), [(("torch",), "nequip"), (("lammps",), "lammps")])
def test_without_torch_or_lammps_it_names_the_extra(monkeypatch, missing, extra):
    monkeypatch.setattr(BuildEnvironment, "installed", classmethod(lambda cls: None))
    monkeypatch.setattr(build, "_is_installed", lambda package: package not in missing)
    with pytest.raises(MissingExtraError, match=rf"found no {missing[0]}.*mlip-sse\[{extra}\]"):
        build_plugin()


def test_without_the_headers_of_lammps_it_says_so(environment, tmp_path, monkeypatch):
    monkeypatch.setattr(build, "find_compiler", lambda: COMPILER)
    (tmp_path / "lammps" / "include" / "lammps" / "pair.h").unlink()
    with pytest.raises(RunError, match="found no headers of LAMMPS"):
        build_plugin()
    assert list(environment.folder.iterdir()) == []


def test_a_second_call_compiles_nothing(environment, fake_compiler):
    first = build_plugin()
    assert fake_compiler == [LIBRARY_FILE, PLUGIN_FILE]
    assert not build_plugin().new
    assert len(fake_compiler) == 2
    assert build_plugin(rebuild=True).new
    assert len(fake_compiler) == 4
    assert {path.name for path in first.folder.iterdir()} == {LIBRARY_FILE, PLUGIN_FILE, RECORD_FILE}
    record = json.loads((first.folder / RECORD_FILE).read_text())
    assert (record["lammps"], record["torch"], record["compiler"]) == ("2025.7.22.4.0", "2.13.0+cpu", "g++ 12.2.0")


def test_each_compiler_has_a_build_of_its_own(environment, fake_compiler, monkeypatch):
    first = build_plugin()
    monkeypatch.setattr(build, "find_compiler", lambda: Compiler(("clang++",), "clang 17"))
    second = build_plugin()
    assert second.new
    assert second.folder != first.folder
    assert second.folder.parent == first.folder.parent == environment.folder


def test_builds_at_the_same_time_leave_one_whole_build(environment, fake_compiler):
    results, failures = [], []

    def work():
        try:
            results.append(build_plugin(rebuild=True))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len({result.folder for result in results}) == 1
    assert [path.name for path in environment.folder.iterdir()] == [results[0].folder.name]
    assert len(list(results[0].folder.iterdir())) == 3


def test_a_compiler_that_fails_leaves_its_words_and_no_build(environment, tmp_path, monkeypatch):
    words = 'if [ "$1" = --version ]; then echo fake 1.0; else echo "x.cpp:3: error: no such thing" >&2; exit 4; fi'
    monkeypatch.setenv("CXX", script(tmp_path / "broken", words))
    with pytest.raises(RunError, match=r"failed with exit code 4: x\.cpp:3: error: no such thing; see .*build\.log"):
        build_plugin()
    assert [path.name for path in environment.folder.iterdir()] == ["build.log"]
    assert "no such thing" in (environment.folder / "build.log").read_text()
    assert built_folder() is None


def test_what_does_not_load_is_not_kept(environment, tmp_path, monkeypatch):
    words = 'if [ "$1" = --version ]; then echo fake 1.0; fi; for last; do :; done; echo nothing > "$last"'
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CXX", script(tmp_path / "lazy", words))
    with pytest.raises(RunError, match="compiled but LAMMPS cannot use them"):
        build_plugin()
    assert list(environment.folder.iterdir()) == []


def test_the_compiler_is_the_one_that_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", f"{script(tmp_path / 'mine', 'echo mine 3.1 $1')} -q")
    found = find_compiler()
    assert found == Compiler((str(tmp_path / "mine"), "-q"), "mine 3.1 -q")
    monkeypatch.setenv("CXX", str(tmp_path / "gone"))
    assert find_compiler() is None


def test_the_release_is_written_as_lammps_writes_it():
    assert build._release_date("2025.7.22.4.0") == "22 Jul 2025"
    assert build._release_date("2026.12.2") == "2 Dec 2026"


def test_the_size_of_integers_is_that_of_the_wheel(tmp_path):
    assert build._integer_sizes(tmp_path) == "LAMMPS_SMALLBIG"
    (tmp_path / "pkgconfig").mkdir()
    (tmp_path / "pkgconfig" / "liblammps.pc").write_text("Cflags: -I${includedir}  -DLAMMPS_BIGBIG\n")
    assert build._integer_sizes(tmp_path) == "LAMMPS_BIGBIG"


def test_every_source_is_compiled_and_every_file_shipped(repository):
    import tomllib

    shipped = {path.name for path in (Path(build.__file__).parent / "source").iterdir()}
    assert set(build._LIBRARY_SOURCES) | set(build._PLUGIN_SOURCES) == {n for n in shipped if n.endswith(".cpp")}
    settings = tomllib.loads((repository / "pyproject.toml").read_text())
    assert "mlip_sse" in settings["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
