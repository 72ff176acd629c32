"""The door to spglib: what it finds, and that nothing depends on a switch that others turn."""

import re
from pathlib import Path

import numpy as np
import pytest
import spglib

import mlip_sse
from mlip_sse.analysis.mechanics.crystal_symmetry import crystal_symmetry
from mlip_sse.errors import InputError
from mlip_sse.space_groups import symmetry_dataset
from mlip_sse.structures.symmetry import site_orbits, symmetry_operations

CELL = 4.0 * np.eye(3)
ONE_PLACE = np.zeros((2, 3))  # two atoms at one place: spglib finds no symmetry
BODY_CENTRED = np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]])


@pytest.fixture(params=["returns None", "raises", "raises by the environment"])
def _switch(request, monkeypatch):
    """Turn the switch of the process to where it is by itself, where phonopy leaves it and where ASE does."""
    monkeypatch.delenv("SPGLIB_OLD_ERROR_HANDLING", raising=False)
    monkeypatch.setattr(spglib.error, "OLD_ERROR_HANDLING", request.param == "returns None")
    if request.param == "raises by the environment":
        monkeypatch.setattr(spglib.error, "OLD_ERROR_HANDLING", True)
        monkeypatch.setenv("SPGLIB_OLD_ERROR_HANDLING", "false")


@pytest.mark.usefixtures("_switch")
def test_no_symmetry_is_none_and_is_said_by_those_who_ask():
    assert symmetry_dataset(CELL, ONE_PLACE, [3, 3]) is None
    rotations, translations = symmetry_operations(CELL, ONE_PLACE, [3, 3])
    assert np.array_equal(rotations, np.eye(3)[None])
    assert not translations.any()
    with pytest.raises(InputError, match=r"found no symmetry within 0\.01 Å, expected at least P1"):
        crystal_symmetry(CELL, ONE_PLACE, [3, 3])


@pytest.mark.usefixtures("_switch")
def test_a_crystal_has_the_same_symmetry_whichever_way_the_switch_stands():
    assert symmetry_dataset(CELL, BODY_CENTRED, [3, 3]).international == "Im-3m"
    assert crystal_symmetry(CELL, BODY_CENTRED, [3, 3]).space_group == "Im-3m (229)"
    assert site_orbits(CELL, BODY_CENTRED, [3, 3]).tolist() == [0, 0]


def test_nobody_else_asks_spglib():
    package = Path(mlip_sse.__file__).parent
    asks = re.compile(r"^\s*(import spglib|from spglib)|SpacegroupAnalyzer|get_space_group_info|get_spacegroup\(", re.M)
    found = {str(each.relative_to(package)) for each in package.rglob("*.py") if asks.search(each.read_text("utf-8"))}
    assert found == {"space_groups.py"}
