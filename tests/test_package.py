"""What ``import mlip_sse`` offers, and what it does not load."""

import subprocess
import sys

import pytest

import mlip_sse
from mlip_sse.provenance import package_version


@pytest.mark.parametrize("name", mlip_sse.__all__)
def test_each_public_name_loads_from_where_it_lives(name):
    assert getattr(mlip_sse, name).__module__ == mlip_sse._HOME[name]
    assert name in dir(mlip_sse)


def test_the_table_and_the_public_names_agree():
    assert sorted(mlip_sse._HOME) == sorted(mlip_sse.__all__)


def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, mlip_sse; print([m for m in ('numpy', 'scipy', 'numba', 'ase') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_version_and_unknown_names():
    assert mlip_sse.__version__ == package_version()
    with pytest.raises(AttributeError, match=r"no attribute 'Trajectry'; it offers .*Trajectory"):
        mlip_sse.Trajectry  # noqa: B018
