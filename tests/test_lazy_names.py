"""Packages that import their names when they are asked for: all of them are there, and nothing else is."""

import subprocess
import sys
from importlib import import_module

import pytest

PACKAGES = (
    "mlip_sse.engine",
    "mlip_sse.analysis.interphase",
    "mlip_sse.md_protocols",
    "mlip_sse.potentials.gates",
    "mlip_sse.structures.interfaces",
)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_name_is_where_the_table_says_and_no_other_is(package):
    found = import_module(package)
    assert sorted(found._HOME) == sorted(found.__all__)
    for name in found.__all__:
        assert getattr(found, name) is getattr(import_module(f"{package}.{found._HOME[name]}"), name)
        assert name in dir(found)
    assert "__name__" in dir(found)
    with pytest.raises(AttributeError, match=rf"module '{package}' has no attribute 'Nothing'; it offers \w+, "):
        found.Nothing  # noqa: B018


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_the_package_loads_none_of_its_modules(package):
    code = f"import sys, {package}; print([name for name in sys.modules if name.startswith({package + '.'!r})])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
