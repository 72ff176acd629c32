"""The equation of state: known parameters come back, intervals cover, other codes agree, and flat data are refused."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.eos import EquationOfState as AseEquationOfState

from mlip_sse.analysis.results import to_json
from mlip_sse.errors import InputError
from mlip_sse.md_protocols import EquationOfStateSpec
from mlip_sse.md_protocols.birch_murnaghan import NoMinimumError, fit_energies, fit_pressures
from mlip_sse.md_protocols.equation_of_state import equation_of_state
from mlip_sse.units import EV_PER_A3_TO_GPA

V0, K0_GPA, SLOPE, E0 = 100.0, 30.0, 5.5, -1234.5
VOLUMES = V0 * np.linspace(0.92, 1.08, 9)
SPEC = EquationOfStateSpec.parse(
    {
        "description": "copper",
        "protocol": "equation_of_state",
        "structure": {"prototype": "fcc", "species": ["Cu"], "density_g_cm3": [8.9]},
        "potential": "none",
        "fmax": 0.001,
    }
)


def birch(volumes):
    """Return energies and pressures of the textbook form, a slow twin of the cubic in x."""
    strain, modulus = (V0 / volumes) ** (2 / 3), K0_GPA / EV_PER_A3_TO_GPA
    energies = E0 + 9 * V0 * modulus / 16 * ((strain - 1) ** 3 * SLOPE + (strain - 1) ** 2 * (6 - 4 * strain))
    odd = strain**3.5 - strain**2.5
    return energies, 1.5 * modulus * odd * (1 + 0.75 * (SLOPE - 4) * (strain - 1))


def values(fit):
    return [fit.volume.value, fit.bulk_modulus_gpa.value, fit.bulk_modulus_slope.value]


def test_known_parameters_come_back_from_energies_and_from_pressures():
    energies, pressures = birch(VOLUMES)
    for fit in (fit_energies(VOLUMES, energies), fit_pressures(VOLUMES, pressures)):
        assert values(fit) == pytest.approx([V0, K0_GPA, SLOPE], rel=1e-7)  # rounding of 1e3 eV
        assert fit.pressures(VOLUMES) == pytest.approx(pressures, abs=1e-9)
    assert fit_energies(VOLUMES, energies).energies(VOLUMES) == pytest.approx(energies, abs=1e-9)


def test_order_offset_and_size_of_the_cell_do_not_matter():
    energies, _ = birch(VOLUMES)
    fit = fit_energies(VOLUMES, energies)
    assert values(fit_energies(VOLUMES[::-1], energies[::-1] + 7.0)) == pytest.approx(values(fit), rel=1e-7)
    doubled = fit_energies(2 * VOLUMES, 2 * energies)
    assert values(doubled) == pytest.approx([2 * V0, K0_GPA, SLOPE], rel=1e-7)


def test_the_intervals_cover():
    """600 noisy scans: a 95 % interval covers in 570 of them, within 4 standard deviations (21)."""
    energies, pressures = birch(VOLUMES)
    rng = np.random.default_rng(20261122)
    for fit, clean, noise in ((fit_energies, energies, 1e-3), (fit_pressures, pressures, 1e-4)):
        covered = np.zeros(3)
        for _ in range(600):
            found = fit(VOLUMES, clean + rng.normal(0, noise, len(VOLUMES)))
            intervals = (found.volume, found.bulk_modulus_gpa, found.bulk_modulus_slope)
            covered += [
                each.low <= true <= each.high for each, true in zip(intervals, (V0, K0_GPA, SLOPE), strict=True)
            ]
        assert (covered >= 570 - 21).all(), covered


@pytest.mark.parametrize("side", ["smallest", "largest"])
def test_no_minimum_inside_is_refused(side):
    volumes = VOLUMES * (1.2 if side == "smallest" else 0.8)
    energies, pressures = birch(volumes)
    with pytest.raises(NoMinimumError, match=f"lies at the {side} volume"):
        fit_energies(volumes, energies)
    with pytest.raises(NoMinimumError, match="does not fall through zero"):
        fit_pressures(volumes, pressures)


def test_what_is_no_scan_is_refused():
    energies, _ = birch(VOLUMES)
    with pytest.raises(InputError, match="6 or more"):
        fit_energies(VOLUMES[:5], energies[:5])
    with pytest.raises(InputError, match="expected as many"):
        fit_energies(VOLUMES, energies[:-1])
    with pytest.raises(InputError, match="not finite"):
        fit_energies(VOLUMES, np.where(VOLUMES > V0, np.nan, energies))


def test_copper_agrees_with_another_code_and_with_its_stress():
    found = equation_of_state(bulk("Cu", a=3.7), EMT(), SPEC)
    volume, _, modulus = AseEquationOfState(found.volumes, found.energies, eos="birchmurnaghan").fit(warn=False)
    assert found.verdict.reasons == ()
    assert values(found.fit)[:2] == pytest.approx([volume, modulus * EV_PER_A3_TO_GPA], rel=1e-4)
    assert values(found.from_stress)[:2] == pytest.approx(values(found.fit)[:2], rel=5e-3)  # truncation of the series
    assert found.fit.volume.low < found.from_stress.volume.value < found.fit.volume.high
    assert '"bulk_modulus_gpa"' in to_json(found)


def test_positions_relax_at_each_volume():
    """Rattled atoms end at the same curve as the perfect crystal."""
    crystal = bulk("Cu", cubic=True)
    rattled = crystal.copy()
    rattled.rattle(0.05, seed=3)
    spec = SPEC.model_copy(update={"centre": "given"})
    curves = [equation_of_state(atoms, EMT(), spec).energies for atoms in (crystal, rattled)]
    assert curves[1] == pytest.approx(curves[0], abs=1e-4)


def test_a_centre_far_off_is_refused():
    spec = SPEC.model_copy(update={"centre": "given"})
    found = equation_of_state(bulk("Cu", a=3.2), EMT(), spec)
    assert found.verdict.quality == "refused"
    assert found.fit is None
    assert "lies at the largest volume" in " ".join(found.verdict.reasons)
    assert found.to_dict()["volume_a3_atom"] is None


class WrongVirial(EMT):
    """Copper whose stress is that of something twice as stiff."""

    def calculate(self, *args, **kwargs):
        super().calculate(*args, **kwargs)
        self.results["stress"] = 2 * self.results["stress"]


def test_a_stress_that_tells_another_story_weakens_the_verdict():
    found = equation_of_state(bulk("Cu"), WrongVirial(), SPEC)
    assert found.verdict.quality == "weak"
    assert "K0 in GPa" in found.verdict.reasons[0]


def test_relaxations_that_fail_are_left_out_and_named():
    crystal = bulk("Cu", cubic=True)
    crystal.rattle(0.05, seed=3)
    spec = SPEC.model_copy(update={"centre": "given", "max_steps": 1})
    found = equation_of_state(crystal, EMT(), spec)
    assert found.verdict.quality == "refused"
    assert found.verdict.reasons[0].startswith("left out the volume -8.0%: not converged after 1 steps")
    assert found.verdict.reasons[-1] == "found 0 volumes that could be relaxed, expected 7 or more"
    spec = SPEC.model_copy(update={"max_steps": 1})
    assert "the middle of the volumes" in equation_of_state(crystal, EMT(), spec).verdict.reasons[0]


def test_the_plot_shows_points_and_fit():
    figure = equation_of_state(bulk("Cu"), EMT(), SPEC).plot()
    left, right = figure.axes
    assert [len(axis.lines) for axis in (left, right)] == [2, 2]
    assert left.lines[0].get_ydata().min() == 0
    assert len(left.lines[0].get_xdata()) == 9
