"""Transport as a user runs it: names, invariance, two species, velocities, refusals, and data of others."""

import json

import numpy as np
import pytest

from mlip_sse import Trajectory
from mlip_sse.analysis.results import Quality, to_json
from mlip_sse.analysis.transport.transport import Transport
from mlip_sse.errors import InputError
from tests.analysis.transport import walkers

CELL = np.array([[18.0, 0.0, 0.0], [3.0, 17.0, 0.0], [-2.0, 4.0, 16.0]])
SPECIES = ["Li"] * 24 + ["P", "S", "S", "S", "S", "Cl"] * 4


def conductor(seed=1, n_frames=2500, cells=CELL, drift=0.0):
    """24 caged, hopping Li in a vibrating framework, as fractional coordinates wrapped into the cell, and its cells."""
    rng = np.random.default_rng(seed)
    ions = walkers.caged(rng, 24, n_frames, rate=0.06, hop=1.5, vibration=0.2, memory=1.5)
    start = rng.random((48, 3)) @ CELL
    still = rng.standard_normal((24, 3, n_frames)) * 0.15
    moved = np.concatenate([ions, still]).transpose(2, 0, 1) + start
    fractional = moved @ np.linalg.inv(CELL)
    wandering = drift * np.cumsum(rng.standard_normal((n_frames, 1, 3)), axis=0)
    return (fractional + wandering) % 1.0, np.broadcast_to(cells, (n_frames, 3, 3))


def run(fractional, cells, **options):
    trajectory = Trajectory.from_arrays(SPECIES, fractional, cells, 100.0, fractional=True, temperature_k=600.0)
    return Transport(mobile="Li", **options).run(trajectory)


@pytest.fixture(scope="module")
def plain():
    return run(*conductor())


def test_every_number_has_an_interval_and_the_truth_lies_in_it(plain):
    truth = 0.06 * 1.5**2 / 6 / 100.0 * 0.1
    assert plain.tracer_diffusivity_cm2_s.low < truth < plain.tracer_diffusivity_cm2_s.high
    assert plain.charge_diffusivity_cm2_s.low < truth < plain.charge_diffusivity_cm2_s.high
    assert plain.haven_ratio.low < 1.0 < plain.haven_ratio.high
    assert plain.conductivity_ms_cm.low < plain.conductivity_ms_cm.value < plain.conductivity_ms_cm.high
    assert plain.spectrum.estimate.interval(0.99).low < truth < plain.spectrum.estimate.interval(0.99).high


def test_the_summary_has_the_stable_names_and_nothing_else(plain):
    summary = json.loads(to_json(plain.summary()))
    assert list(summary) == [
        "path",
        "temperature_k",
        "mobile",
        "tracer_diffusivity_cm2_s",
        "charge_diffusivity_cm2_s",
        "haven_ratio",
        "conductivity_ms_cm",
        "nernst_einstein_conductivity_ms_cm",
        "quality",
        "reasons",
    ]
    assert set(summary["haven_ratio"]) == {"value", "low", "high", "confidence", "method"}


def test_the_whole_result_is_json_with_settings_and_provenance(plain):
    whole = json.loads(to_json(plain.to_dict()))
    assert whole["reference"] == "framework:P,S,Cl"
    assert whole["provenance"]["settings"]["hop_distance"] == 3.0
    assert "Li +1 (default oxidation state)" in whole["charges"]
    assert whole["species"]["Li"]["n_ions"] == 24


def test_drift_does_not_change_the_diffusivity(plain):
    drifting = run(*conductor(drift=0.01))
    assert drifting.tracer_diffusivity_cm2_s.value == pytest.approx(plain.tracer_diffusivity_cm2_s.value, rel=0.01)
    assert drifting.conductivity_ms_cm.value == pytest.approx(plain.conductivity_ms_cm.value, rel=0.01)


def test_wrapping_does_not_change_the_diffusivity(plain):
    fractional, cells = conductor()
    moved = run((fractional + 0.37) % 1.0, cells)
    assert moved.tracer_diffusivity_cm2_s.value == pytest.approx(plain.tracer_diffusivity_cm2_s.value, rel=1e-5)


def test_another_choice_of_the_same_lattice_does_not_change_the_diffusivity(plain):
    fractional, _ = conductor()
    choice = np.array([[1, 0, 0], [2, 1, 0], [-1, 3, 1]])
    again = run((fractional @ np.linalg.inv(choice)) % 1.0, choice @ CELL)
    assert again.tracer_diffusivity_cm2_s.value == pytest.approx(plain.tracer_diffusivity_cm2_s.value, rel=1e-4)
    # D along the axes belongs to the axes and may change; the principal values may not
    assert again.species[0].tensor.principal_cm2_s == pytest.approx(plain.species[0].tensor.principal_cm2_s, rel=1e-4)


def test_a_breathing_cell_does_not_change_the_diffusivity(plain):
    fractional, cells = conductor()
    noise = walkers._ornstein_uhlenbeck(np.random.default_rng(5).standard_normal((1, 3, 2500)), np.exp(-1 / 50))
    breathing = cells * (1 + 0.01 * noise[0, 0])[:, None, None]
    result = run(fractional, breathing)
    assert result.tracer_diffusivity_cm2_s.value == pytest.approx(plain.tracer_diffusivity_cm2_s.value, rel=0.01)


def test_the_order_of_atoms_does_not_matter(plain):
    fractional, cells = conductor()
    order = np.random.default_rng(6).permutation(48)
    trajectory = Trajectory.from_arrays(
        np.array(SPECIES)[order], fractional[:, order], cells, 100.0, fractional=True, temperature_k=600.0
    )
    mixed = Transport(mobile="Li").run(trajectory)
    assert mixed.tracer_diffusivity_cm2_s.value == pytest.approx(plain.tracer_diffusivity_cm2_s.value, rel=1e-6)


def test_time_reversal_does_not_matter(plain):
    fractional, cells = conductor()
    backwards = run(fractional[::-1], cells)
    assert backwards.tracer_diffusivity_cm2_s.value == pytest.approx(plain.tracer_diffusivity_cm2_s.value, rel=1e-3)


def salt(n_frames=4000):
    """Independent cations and anions, D in the ratio 4 to 1, with a solvent atom at rest."""
    rng = np.random.default_rng(8)
    cations, anions = walkers.brownian(rng, 30, n_frames, 0.2), walkers.brownian(rng, 30, n_frames, 0.1)
    positions = np.concatenate([cations, anions, np.zeros((1, 3, n_frames))]).transpose(2, 0, 1)
    species = ["Na"] * 30 + ["Cl"] * 30 + ["Si"]
    return Trajectory.from_arrays(species, positions, np.eye(3) * 30, 50.0, wrapped=False, temperature_k=400.0)


def test_two_mobile_species_have_an_onsager_matrix_and_transference_numbers():
    result = Transport(mobile=["Na", "Cl"], reference="framework").run(salt())
    assert result.mobile == "Na,Cl"
    assert [t.low < x < t.high for t, x in zip(result.onsager.transference_numbers, (0.8, 0.2), strict=True)] == [
        True,
        True,
    ]
    assert result.haven_ratio.low < 1.0 < result.haven_ratio.high
    assert result.agreement.verdict.quality is Quality.PASS


def test_velocities_give_green_kubo_beside_the_slope():
    rng = np.random.default_rng(9)
    velocities = walkers._ornstein_uhlenbeck(rng.standard_normal((20, 3, 8000)) * 0.01, np.exp(-1 / 8))
    positions = np.cumsum(velocities, axis=2) * 4.0
    still = np.zeros((1, 3, 8000))
    frames = [np.concatenate([x, still]).transpose(2, 0, 1) for x in (positions, velocities)]
    trajectory = Trajectory.from_arrays(
        ["Li"] * 20 + ["S"], frames[0], np.eye(3) * 20, 4.0, wrapped=False, velocities=frames[1], temperature_k=500.0
    )
    result = Transport(mobile="Li").run(trajectory)
    assert set(result.agreement.z_scores) == {
        "MSD slope / low-frequency spectrum",
        "MSD slope / Green-Kubo",
        "low-frequency spectrum / Green-Kubo",
    }
    assert result.agreement.verdict.quality is Quality.PASS
    ratio = result.green_kubo.conductivity_ms_cm.value / result.conductivity_ms_cm.value
    assert ratio == pytest.approx(1.0, abs=0.5)  # both are known to about 15 %


def test_without_a_temperature_there_is_a_diffusivity_but_no_conductivity():
    fractional, cells = conductor()
    result = Transport(mobile="Li").run(Trajectory.from_arrays(SPECIES, fractional, cells, 100.0, fractional=True))
    assert result.tracer_diffusivity_cm2_s.value > 0
    assert result.conductivity_ms_cm is None
    assert any("temperature" in reason for reason in result.verdict.reasons)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mobile": "Na"}, "species 'Na' is not in the trajectory, which holds Li, P, S, Cl"),
        ({"mobile": ["Li", "P", "S", "Cl"]}, "there is no framework"),
        ({"mobile": []}, "expected one or several different species"),
        ({"mobile": ["Li", "Li"]}, "expected one or several different species"),
        ({"mobile": "Li", "hop_distance": -1.0}, "hop_distance is -1.0"),
        ({"mobile": "Li", "confidence": 95}, "confidence is 95"),
        ({"mobile": "Li", "reference": "wall"}, "reference 'wall' is unknown"),
        ({"mobile": "Li", "charges": {"Li": 0}}, "carry no charge"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(settings, message):
    fractional, cells = conductor(n_frames=100)
    trajectory = Trajectory.from_arrays(SPECIES, fractional, cells, 100.0, fractional=True)
    with pytest.raises(InputError, match=message) as caught:
        Transport(**settings).run(trajectory)
    assert "\n" not in str(caught.value)


def test_too_few_frames_are_refused():
    fractional, cells = conductor(n_frames=30)
    with pytest.raises(InputError, match="30 frames, expected at least 40"):
        run(fractional, cells)


def test_lithium_argyrodite_from_its_xdatcar(shared_data):
    path = shared_data("li6ps5cl_md/actual_XDATCAR.gz")
    trajectory = Trajectory.read(path, frame_spacing_fs=100.0, temperature_k=500.0)
    result = Transport(mobile="Li").run(trajectory)
    diffusivity = result.tracer_diffusivity_cm2_s
    assert 0.5e-5 < diffusivity.low < diffusivity.value < diffusivity.high < 4e-5  # 14 ps at 500 K, disordered
    assert result.verdict.quality is Quality.WEAK
    assert result.haven_ratio.high / result.haven_ratio.low > 2  # one run of 14 ps holds no better Haven ratio


def test_a_run_of_one_effective_jump_is_refused_where_another_code_prints_a_number(shared_data):
    """LGPS, 20 Li for 20 ps at 600 K: an ordinary line through its MSD gives 1.161e-6 cm²/s and a Haven ratio 0.32."""
    data = json.loads(shared_data("lgps_transport/DiffusionAnalyzer.json").read_text())
    sites = [site["species"][0]["element"] for site in data["structure"]["sites"]]
    moved = np.array(data["displacements"]).transpose(1, 0, 2)
    matrix = np.array(data["structure"]["lattice"]["matrix"])
    spacing = data["time_step"] * data["step_skip"]
    trajectory = Trajectory.from_arrays(sites, moved, matrix, spacing, wrapped=False, temperature_k=600.0)
    result = Transport(mobile="Li").run(trajectory)
    assert result.species[0].diffusion.jumps.effective < 2
    assert result.verdict.quality is Quality.REFUSED
    assert result.tracer_diffusivity_cm2_s.value is None
    assert result.tracer_diffusivity_cm2_s.high > 1.161e-6
    assert result.haven_ratio is None
