"""Charges: the given win, the table states its source, the rest is balanced or asked for."""

import subprocess
import sys

import pytest

from mlip_sse.analysis.transport.charge.charges import charges_of
from mlip_sse.errors import InputError


def atoms(**counts):
    return [s for s, n in counts.items() for _ in range(n)]


@pytest.mark.parametrize(
    "counts",
    [
        {"Li": 6, "P": 1, "S": 5, "Cl": 1},
        {"Li": 10, "Ge": 1, "P": 2, "S": 12},
        {"Li": 7, "La": 3, "Zr": 2, "O": 12},
        {"Li": 3, "Y": 1, "Cl": 6},
        {"Na": 3, "Zr": 2, "Si": 2, "P": 1, "O": 12},
    ],
)
def test_known_electrolytes_are_neutral_by_the_table(counts):
    found = charges_of(atoms(**counts))
    assert found.total == pytest.approx(0.0, abs=1e-12)
    assert "not neutral" not in found.statement
    assert set(found.sources.values()) == {"default oxidation state"}


def test_given_charges_win_and_are_stated():
    found = charges_of(atoms(Li=2, O=1), {"O": -1.5})
    assert found.by_species == {"Li": 1.0, "O": -1.5}
    assert (
        found.statement == "charges: Li +1 (default oxidation state), O -1.5 (given); the cell is not neutral: +0.5 e"
    )
    assert found.per_atom(["O", "Li"]).tolist() == [-1.5, 1.0]
    assert found.to_dict()["total_charge_e"] == 0.5


def test_one_transition_metal_is_balanced():
    found = charges_of(atoms(Li=4, Fe=4, P=4, O=16))
    assert found.by_species["Fe"] == pytest.approx(2.0)
    assert found.sources["Fe"] == "balances the composition"


def test_two_transition_metals_are_balanced_together():
    found = charges_of(atoms(Li=3, Mn=1, Fe=2, O=6))
    assert found.total == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("species", "given", "words"),
    [
        (["Li", "Xx"], None, "give charges for Xx"),
        (["Fe", "Fe"], {"Li": 1.0}, "the trajectory holds Fe"),
        (["Li"], {"Li": float("nan")}, "finite"),
        (atoms(Li=1, Fe=1, O=9), None, "give charges for Fe"),
        (atoms(Li=1, Fe=1, Mn=1, O=30), None, "give charges for Fe, Mn"),
        (["Li", "Xx", "Qq"], None, "no oxidation states are known for Qq, Xx"),
    ],
)
def test_bad_input_is_one_line(species, given, words):
    with pytest.raises(InputError, match=words):
        charges_of(species, given)


def test_the_table_does_not_import_pymatgen():
    code = (
        "import sys; from mlip_sse.analysis.transport.charge.charges import charges_of; charges_of(['Li', 'S']);"
        "sys.exit('pymatgen' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
