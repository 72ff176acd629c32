"""The wheel, built and installed outside of the checkout: its catalogue is all there, and nothing that git ignores."""

import json
import os
import shutil
import subprocess
import sys
import zipfile

import pytest

from mlip_sse.catalogue import FOLDERS, entries
from mlip_sse.potentials.lammps_plugin.cached_plugin import source_files

SOURCES = ("mlip_sse", *(folder for folder in FOLDERS if "/" not in folder))
TOP_LEVEL = ("pyproject.toml", "README.md", "LICENSE", ".gitignore")


def run(*arguments, **options):
    return subprocess.run(
        [str(each) for each in arguments],
        check=True,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        **options,
    )


@pytest.fixture(scope="module")
def wheel(repository, tmp_path_factory):
    """Build the wheel from a copy of the sources into which files were put that git ignores."""
    source = tmp_path_factory.mktemp("source")
    for folder in SOURCES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(repository / folder, source / folder, ignore=ignored)
    for name in TOP_LEVEL:
        shutil.copy(repository / name, source / name)
    for stray in ("analysis/__pycache__/stray.yaml", "potentials/stray.so", "mlip_sse/__pycache__/stray.pyc"):
        (source / stray).parent.mkdir(exist_ok=True)
        (source / stray).write_text("stray")
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, source)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Install the wheel alone into a folder."""
    target = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", target, wheel)
    return target


def test_the_wheel_holds_each_catalogue_file_and_no_stray_one(wheel, repository):
    names = zipfile.ZipFile(wheel).namelist()
    for folder in FOLDERS:
        shipped = {name for name in names if name.startswith(f"mlip_sse/_catalogue/{folder}/")}
        wanted = {
            f"mlip_sse/_catalogue/{path.relative_to(repository)}"
            for path in (repository / folder).rglob("*")
            if path.is_file()
        }
        assert shipped == wanted
        assert f"mlip_sse/_catalogue/{folder}/README.md" in shipped
    assert [name for name in names if "stray" in name or "__pycache__" in name] == []
    assert {name.split("/")[0] for name in names} <= {"mlip_sse"} | {
        n.split("/")[0] for n in names if ".dist-info" in n
    }
    assert "mlip_sse/py.typed" in names
    plugin = repository / "mlip_sse" / "potentials" / "lammps_plugin" / "source"
    sources = {str(path.relative_to(repository)) for path in plugin.iterdir()}
    assert len(sources) > 3
    assert sources <= set(names)  # build-plugin compiles them where the wheel was installed


def test_the_wheel_holds_what_the_package_reads_at_run_time(wheel, repository):
    """C++ sources, templates and whatever else lies in the package beside its modules, compiled files aside."""
    made = {".pyc", ".nbi", ".nbc", ".so"}
    wanted = {
        str(path.relative_to(repository))
        for path in (repository / "mlip_sse").rglob("*")
        if path.is_file() and path.suffix not in made and path.name != ".DS_Store"
    }
    assert {path.relative_to(repository).as_posix() for path in source_files()} <= wanted
    assert wanted <= set(zipfile.ZipFile(wheel).namelist())


def test_the_catalogue_is_read_from_outside_the_tree(installed, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    environment.pop("MLIP_SSE_PATH", None)
    done = run(installed / "bin" / "mlip-sse", "catalogue", "--json", cwd=tmp_path, env=environment)
    listed = json.loads(done.stdout)
    assert {folder: [entry["name"] for entry in group] for folder, group in listed.items()} == {
        folder: [entry.name for entry in entries(folder)] for folder in FOLDERS
    }
    paths = [entry["path"] for group in listed.values() for entry in group]
    assert paths
    assert [path for path in paths if not path.startswith(str(installed / "mlip_sse" / "_catalogue"))] == []


def test_every_entry_of_the_wheel_loads_outside_the_tree(installed, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    code = (
        "import mlip_sse\n"
        "from mlip_sse.catalogue import FOLDERS, entries\n"
        "from mlip_sse.specs import load_spec\n"
        "print(mlip_sse.__file__)\n"
        "print(len([load_spec(entry.name, folder) for folder in FOLDERS for entry in entries(folder)]))\n"
    )
    where, loaded = run(sys.executable, "-c", code, cwd=tmp_path, env=environment).stdout.split()
    assert where.startswith(str(installed))
    assert int(loaded) == sum(len(entries(folder)) for folder in FOLDERS)
