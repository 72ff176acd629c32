"""Features of a printed cell: known crystals, choice of axes, what is missing and what is refused."""

import numpy as np
import pytest

from mlip_sse.errors import InputError
from mlip_sse.properties.cells import CRYSTAL_SYSTEMS, CellFeatures

NAMES = CellFeatures().names


def asked(formula, lengths, angles, z, group):
    found = CellFeatures().featurize(
        [formula], np.array([lengths], float), np.array([angles], float), np.array([float(z)]), np.array([float(group)])
    )
    return dict(zip(NAMES, found[0], strict=True))


def test_a_cubic_cell_by_hand():
    """LiCl, 5.14 Å, eight atoms."""
    found = asked("LiCl", [5.14] * 3, [90] * 3, 4, 225)
    assert 10 ** found["cell log10 volume per atom (Å³)"] == pytest.approx(5.14**3 / 8)
    assert found["cell Li per Å³"] == pytest.approx(4 / 5.14**3)
    assert found["cell atoms"] == 8
    assert [found[f"cell is {system}"] for system in CRYSTAL_SYSTEMS] == [0, 0, 0, 0, 0, 0, 1]


def test_the_volume_is_that_of_the_lattice_in_any_axes():
    """Rhombohedral and hexagonal axes of one lattice: thrice the cell, the same volume an atom; and the determinant."""
    from ase.cell import Cell

    primitive = asked("LiTi2P3O12", [8.9] * 3, [57.2] * 3, 2, 167)
    vectors = Cell.new([8.9, 8.9, 8.9, 57.2, 57.2, 57.2]).array
    wide = Cell(np.array([[1, -1, 0], [0, 1, -1], [1, 1, 1]]) @ vectors)
    hexagonal = asked("LiTi2P3O12", wide.lengths(), wide.angles(), 6, 167)
    name = "cell log10 volume per atom (Å³)"
    assert 10 ** primitive[name] == pytest.approx(abs(np.linalg.det(vectors)) / 36)
    assert hexagonal[name] == pytest.approx(primitive[name])
    assert hexagonal["cell Li per Å³"] == pytest.approx(primitive["cell Li per Å³"])
    assert hexagonal["cell is trigonal"] == 1.0


def test_what_is_missing_is_missing():
    found = asked("LiCl", [5.14] * 3, [90] * 3, np.nan, np.nan)
    assert np.isnan([found["cell log10 volume per atom (Å³)"], found["cell is cubic"]]).all()
    assert found["cell log10 volume (Å³)"] == pytest.approx(3 * np.log10(5.14))
    assert np.isnan(asked("LiCl", [5.14] * 3, [30, 30, 90], 4, 1)["cell log10 volume (Å³)"])  # no such cell


@pytest.mark.parametrize(
    ("change", "said"),
    [({"lengths": [0.0, 5, 5]}, "cell lengths 0, 5, 5"), ({"z": -1}, r"\(Z\) -1"), ({"group": 231}, "space group 231")],
)
def test_what_no_cell_has_is_refused(change, said):
    with pytest.raises(InputError, match=said):
        asked(**{"formula": "LiCl", "lengths": [5.0] * 3, "angles": [90] * 3, "z": 4, "group": 225, **change})
