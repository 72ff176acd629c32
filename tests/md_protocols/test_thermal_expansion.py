"""Expansion by dynamics at constant pressure: argon swells and softens, and what did not run is named."""

import numpy as np
import pytest
from ase.build import bulk

from mlip_sse.cli.elastic_table import heated_table
from mlip_sse.errors import SpecError
from mlip_sse.md_protocols import ThermalExpansionSpec, run_thermal_expansion
from mlip_sse.md_protocols.expansion_run import _analysed
from mlip_sse.md_protocols.expansion_tasks import expansion_deck
from mlip_sse.potentials.contract import LammpsInput
from tests.analysis.mechanics.breathing_cells import breathing
from tests.analysis.mechanics.crystals import cubic

BASE = {
    "description": "argon",
    "protocol": "thermal_expansion",
    "structure": {"prototype": "fcc", "species": ["Ar"], "repeats": [2, 2, 2], "density_g_cm3": [1.7]},
    "potential": "argon_lennard_jones",
    "temperatures_k": [40.0, 50.0, 60.0],
    "reference_k": 50.0,
    "cell": "isotropic",
    "timestep_fs": 5.0,
    "equilibration_ps": 5.0,
    "sampling_ps": 30.0,
    "sample_every_fs": 50.0,
}


def spec(**changes):
    return ThermalExpansionSpec.parse({**BASE, **changes})


def test_argon_swells(lammps, tmp_path):
    """Solid argon at 50 K: 600e-6/K, linear, within a third: what 108 atoms and 200 ps at five temperatures gave."""
    first = run_thermal_expansion(spec(), tmp_path / "out", engine={"scheduler": "embedded", "cores": 1})
    assert first.verdict.reasons == ("found 3 temperatures, expected 5 or more",)
    assert first.expansion.linear.value == pytest.approx(600e-6, rel=0.33)
    tensor = first.expansion.tensor_per_k
    assert tensor == pytest.approx(tensor[0, 0] * np.eye(3), abs=1e-9)
    assert first.runs[0]["moduli"]["moves"] == "volume"
    assert 0.5 < first.runs[0]["moduli"]["bulk"].value < 4.0
    second = run_thermal_expansion(spec(), tmp_path / "out", engine={"scheduler": "embedded", "cores": 1})
    assert (first.n_reused, second.n_reused) == (0, 3)
    assert second.expansion.linear == first.expansion.linear
    assert "linear (a third of the volumetric): " in heated_table(second)
    assert second.to_dict()["quality"] == "weak"


def test_the_deck_lets_the_cell_move_as_asked():
    lines = LammpsInput(("Ar",), (39.948,), None, ("pair_style lj/cut 8.5", "pair_coeff 1 1 0.0104 3.4"))
    assert " iso 0.0 0.0 1.0\n" in expansion_deck(spec(), lines, 50.0)
    free = expansion_deck(spec(cell="triclinic", pressure_gpa=1.0), lines, 50.0)
    assert " tri 10000.0 10000.0 1.0 flip no\n" in free
    assert "change_box all triclinic" in free
    assert "ave/time 10 1 10" in free


def test_what_did_not_run_is_left_out_and_named():
    kelvins = [300.0, 400.0, 500.0, 600.0]
    cell = 20.0 * np.eye(3)
    cells = [breathing(cubic(40, 20, 15), cell * (1 + 4e-5 * t), t, 800, seed=int(t)) for t in kelvins]
    figures = [{"ended": None, "n_frames": 800, "volume_a3": 8000.0} for _ in kelvins]
    figures[1] = {"ended": {"kind": "exploded", "reason": "too hot"}, "n_frames": 0, "volume_a3": None}
    hot = spec(temperatures_k=kelvins, cell="triclinic", reference_k=400.0)
    atoms = bulk("Ar", cubic=True)
    runs, found, verdict = _analysed(hot, atoms, figures, [cells[0], None, *cells[2:]])
    assert verdict.quality == "weak"
    assert verdict.reasons[0] == "400 K left out: too hot"
    assert found.volumetric.low < 12e-5 / 1.016 < found.volumetric.high
    assert (runs[1]["moduli"], runs[0]["moduli"]["moves"]) == (None, "all")
    assert runs[0]["moduli"]["shear"].value == pytest.approx(12.7, rel=0.2)
    figures[2] = figures[3] = figures[1]
    _, none, verdict = _analysed(hot, atoms, figures, [cells[0], None, None, None])
    assert (none, verdict.quality) == (None, "refused")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"temperatures_k": [300.0, 400.0]}, "at least 3"),
        ({"temperatures_k": [300.0, 300.0, 400.0]}, "found a value twice"),
        ({"sampling_ps": 1.0}, "at least 100 times sample_every_fs"),
        ({"order": "cubic"}, "order"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(changes, message):
    with pytest.raises(SpecError, match=message) as caught:
        spec(**changes)
    assert "\n" not in str(caught.value)


def test_a_temperature_outside_the_domain_is_refused(lammps, tmp_path):
    with pytest.raises(SpecError, match=r"found 5000 K, but potential .* holds from 20 to 600 K"):
        run_thermal_expansion(spec(temperatures_k=[40.0, 50.0, 5000.0]), tmp_path / "out")
