"""Thermal expansion by phonons: copper expands as it does in dynamics, springs do not, and failures are named."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.calculator import Calculator
from ase.calculators.emt import EMT

from mlip_sse.cli.elastic_table import expansion_table
from mlip_sse.errors import SpecError
from mlip_sse.md_protocols import QuasiHarmonicSpec, StaticResult, quasi_harmonic_scan
from mlip_sse.md_protocols.phonons import mesh_of, phonon_frequencies

BASE = {
    "description": "copper",
    "protocol": "quasi_harmonic",
    "structure": {"prototype": "fcc", "species": ["Cu"], "density_g_cm3": [8.9]},
    "potential": "none",
    "min_width_a": 6.0,
    "displacement_a": 0.01,
    "mesh_a": 16.0,
    "n_volumes": 5,
    "compression": 0.01,
    "expansion": 0.07,
    "relax": "positions",
}

pytest.importorskip("phonopy", reason="phonopy is not installed: pip install 'mlip-sse[phonons]'")


SIDE, SPRING = 2.5, 1.5
"""Å and eV/Å² of a simple cubic crystal of springs."""


def spec(**changes):
    return QuasiHarmonicSpec.parse({**BASE, **changes})


class Springs(Calculator):
    """A simple cubic crystal without anharmonicity: forces linear in the displacements, whatever its volume."""

    implemented_properties = ("energy", "forces", "stress")

    def calculate(self, atoms=None, properties=(), system_changes=()):
        super().calculate(atoms, properties, system_changes)
        lengths = self.atoms.cell.lengths()
        sides = np.round(lengths / SIDE).astype(int)
        places = self.atoms.get_scaled_positions(wrap=False) * sides
        sites = np.round(places).astype(int) % sides
        away = np.zeros((*sides, 3))
        away[tuple(sites.T)] = (places - np.round(places)) * lengths / sides
        pull = sum(np.roll(away, step, axis) - away for axis in range(3) for step in (1, -1))
        stretch = lengths / (SIDE * sides) - 1
        energy = -0.5 * SPRING * (away * pull).sum() + 40.0 * len(self.atoms) * (stretch**2).sum()
        stress = np.zeros(6)
        stress[:3] = 80.0 * len(self.atoms) * stretch * (1 + stretch) / self.atoms.get_volume()
        self.results = {"energy": energy, "forces": SPRING * pull[tuple(sites.T)], "stress": stress}


def test_copper_expands_as_effective_medium_theory_says():
    """20e-6/K, linear, at 300 K: what EMT gives in larger cells (20.8e-6 with 9 Å and a mesh of 40 Å)."""
    done = []
    found = quasi_harmonic_scan(bulk("Cu", a=3.6), EMT(), spec(), lambda n, n_all: done.append((n, n_all)))
    assert found.verdict.quality == "pass", found.verdict.reasons
    assert found.expansion.linear.value == pytest.approx(20.8e-6, rel=0.1)
    assert found.expansion.bulk_modulus_gpa[2] == pytest.approx(121, rel=0.05)
    assert done[-1] == (5, 5)
    data = found.to_dict()
    assert data["equilibrium_volumes_a3_atom"][2] > found.base.atoms.get_volume()
    table = expansion_table(StaticResult("out", {**data, "linear_expansion_per_k": _plain(data)}))
    assert "linear, 300 K: 2" in table
    assert len(table.splitlines()) == 1 + 6 + 1 + 1


def _plain(data):
    interval = data["linear_expansion_per_k"]
    return {"low": interval.low, "value": interval.value, "high": interval.high}


def test_springs_do_not_expand():
    """A harmonic crystal, with its zero-point and thermal energy: no expansion beyond rounding."""
    found = quasi_harmonic_scan(bulk("Cu", "sc", a=SIDE + 0.05), Springs(), spec(temperatures_k=[300.0, 1000.0]))
    assert found.verdict.quality == "pass", found.verdict.reasons
    assert found.expansion.volumetric_per_k == pytest.approx([0, 0], abs=1e-9)
    # The stiffest mode, at the corner of the zone: ω² = 12 k/m.
    stiffest = np.sqrt(12 * SPRING * 1.602176634e-19 / 1e-20 / (63.546 * 1.66053906660e-27)) / (2 * np.pi) / 1e12
    frequencies, weights = phonon_frequencies(found.base.atoms, Springs(), min_width_a=5.0, mesh=(2, 2, 2))
    assert frequencies.max() == pytest.approx(stiffest, rel=1e-4)
    assert weights.sum() == 8


def test_imaginary_modes_are_refused():
    """Copper stacked simple cubic shears away."""
    found = quasi_harmonic_scan(bulk("Cu", "sc", a=2.4), EMT(), spec())
    assert found.verdict.quality == "refused"
    assert found.verdict.reasons[0].startswith("imaginary modes: -")
    assert found.to_dict()["linear_expansion_per_k"] is None


def test_a_crystal_that_does_not_relax_is_refused():
    atoms = bulk("Cu", "hcp", a=2.55, c=4.3)
    found = quasi_harmonic_scan(atoms, EMT(), spec(max_steps=1))
    assert found.verdict.reasons[0].startswith("the middle of the volumes: not converged after 1 steps")
    assert found.expansion is None


def test_the_mesh_follows_the_cell():
    atoms = bulk("Cu", "hcp", a=2.5, c=4.0)
    assert mesh_of(atoms, 20.0) == (8, 8, 5)
    assert mesh_of(atoms, 1.0) == (1, 1, 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"temperatures_k": [300.0, 300.0]}, "found a value twice"),
        ({"n_volumes": 3}, "greater than or equal to 5"),
        ({"relax": "all"}, "relax"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(changes, message):
    with pytest.raises(SpecError, match=message) as caught:
        spec(**changes)
    assert "\n" not in str(caught.value)
