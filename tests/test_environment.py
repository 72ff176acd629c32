"""The pinned environment: it holds what pyproject.toml asks for, and GPAW is added to it by a target of its own."""

import re
import runpy
import shutil
import subprocess
import tomllib

import pytest
from packaging.requirements import Requirement


@pytest.fixture(scope="module")
def project(repository):
    return tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def pins(path):
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    found = dict(line.split("==") for line in lines)
    assert len(found) == len(lines), "a package is pinned twice"
    return {canonical(name): version for name, version in found.items()}


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def asked_for(project, extra):
    """Return the requirements of an extra, those of the extras in it included."""
    found = []
    for text in project["optional-dependencies"][extra]:
        requirement = Requirement(text)
        if requirement.name == project["name"]:
            found += [each for name in requirement.extras for each in asked_for(project, name)]
        else:
            found.append(requirement)
    return found


def test_each_package_that_is_asked_for_is_pinned_as_it_is_wanted(project, repository):
    locked = pins(repository / "requirements" / "lock.txt")
    wanted = [*map(Requirement, project["dependencies"]), *asked_for(project, "dev")]
    assert len(wanted) > 20
    wrong = [
        str(each)
        for each in wanted
        if not each.specifier.contains(locked.get(canonical(each.name), "0"), prereleases=True)
    ]
    assert wrong == []


def test_torch_stands_first_and_is_the_one_of_the_extras(project, repository):
    locked = pins(repository / "requirements" / "lock.txt")
    assert next(iter(locked)) == "torch"
    for extra in ("nequip", "chgnet"):
        assert f"torch=={locked['torch']}" in map(str, asked_for(project, extra))


def test_no_extra_but_its_own_brings_gpaw(project, repository):
    """It is under the GPL, and compiled where it is installed."""
    extras = [name for name in project["optional-dependencies"] if name != "gpaw"]
    assert {each.name for name in extras for each in asked_for(project, name)}.isdisjoint({"gpaw", "gpaw-data"})
    assert {"gpaw", "gpaw-data"}.isdisjoint(pins(repository / "requirements" / "lock.txt"))
    own = pins(repository / "requirements" / "gpaw.txt")
    for requirement in asked_for(project, "gpaw"):
        assert requirement.specifier.contains(own[requirement.name])


def test_gpaw_is_compiled_before_the_slow_tests(repository):
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    dry_run = ["make", "--dry-run", "--always-make", "--no-print-directory", "test-slow"]
    lines = subprocess.run(dry_run, cwd=repository, capture_output=True, text=True, check=True).stdout.splitlines()
    (compiles,) = (number for number, line in enumerate(lines) if "requirements/gpaw.txt" in line)
    (runs,) = (number for number, line in enumerate(lines) if "pytest" in line and "-m slow" in line)
    assert compiles < runs
    (settings,) = re.findall(r"GPAW_CONFIG=(\S+)", lines[compiles])
    assert runpy.run_path(settings)["mpi"] is False
