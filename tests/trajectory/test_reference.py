"""What is held at rest: framework, centre of mass, named species."""

import numpy as np
import pytest

from mlip_sse.errors import InputError
from mlip_sse.trajectory.model import Trajectory
from mlip_sse.trajectory.reference import reference_drift

SPECIES = ["Li"] * 6 + ["P"] * 2 + ["S"] * 8


def make(
    seed: int = 1, n_frames: int = 300, scale: np.ndarray | None = None, drift: np.ndarray | None = None
) -> Trajectory:
    """Return walking lithium in a framework that vibrates, wrapped; scaled by a barostat and moved by a drift."""
    rng = np.random.default_rng(seed)
    sites = rng.uniform(0, 15, (16, 3))
    positions = sites + 0.1 * rng.standard_normal((n_frames, 16, 3))
    positions[:, :6] += np.cumsum(0.2 * rng.standard_normal((n_frames, 6, 3)), axis=0)
    if drift is not None:
        positions = positions + drift[:, None]
    factor = np.ones(n_frames) if scale is None else scale
    cells = np.diag([15.0, 15.0, 15.0]) * factor[:, None, None]
    wrapped = (positions * factor[:, None, None]) % np.diagonal(cells, axis1=1, axis2=2)[:, None]
    return Trajectory.from_arrays(SPECIES, wrapped, cells, 100.0)


def slope(trajectory: Trajectory, lags: tuple[int, int] = (5, 25)) -> float:
    """Return the slope of lithium's mean-squared displacement, Å² a frame."""
    block = np.concatenate([*trajectory.ion_blocks(trajectory.indices("Li"), np.float64)])
    low, high = (np.mean(np.sum((block[:, :, lag:] - block[:, :, :-lag]) ** 2, axis=1)) for lag in lags)
    return float((high - low) / (lags[1] - lags[0]))


@pytest.mark.parametrize(
    ("reference", "label", "atoms"),
    [
        ("framework", "framework:P,S", slice(6, 16)),
        ("framework:P,S", "framework:P,S", slice(6, 16)),
        ("barycentric", "barycentric", slice(0, 16)),
        ("species:P", "species:P", slice(6, 8)),
        ("species: S , P", "species:S,P", slice(6, 16)),
    ],
)
def test_the_slow_twin_agrees(reference: str, label: str, atoms: slice) -> None:
    trajectory = make()
    found, drift = reference_drift(trajectory, reference, ["Li"])
    centre = np.array(
        [np.average(frame[atoms], axis=0, weights=trajectory.masses[atoms]) for frame in trajectory.positions]
    )
    assert found == label
    np.testing.assert_allclose(drift, centre - centre[0], atol=1e-12)  # float64 sums of 16 numbers


def test_none_is_no_drift() -> None:
    label, drift = reference_drift(make(), "none")
    assert label == "none"
    assert not drift.any()


def test_masses_weigh() -> None:
    positions = np.zeros((2, 3, 3))
    positions[1] = [[0, 0, 0], [0.3, 0, 0], [0, 0.3, 0]]
    trajectory = Trajectory.from_arrays(
        ["Li", "P", "S"], positions, np.eye(3) * 9, 1.0, masses=np.array([7.0, 10.0, 30.0])
    )
    _, drift = reference_drift(trajectory, "framework", "Li")
    np.testing.assert_allclose(drift[1], [0.3 * 0.25, 0.3 * 0.75, 0.0], atol=1e-15)


def test_the_mobile_ions_are_never_part_of_the_framework() -> None:
    trajectory = make()
    still = trajectory.in_reference_frame("framework", ["Li"])
    moved = np.array(trajectory.positions)
    moved[:, :6] += np.arange(300)[:, None, None] * 0.5
    other = Trajectory.from_arrays(SPECIES, moved, trajectory.cells, 100.0, wrapped=False)
    found = other.in_reference_frame("framework", ["Li"]).drift
    np.testing.assert_allclose(found, still.drift, atol=1e-12)  # unwrapped once more in float64


def test_a_reference_does_not_depend_on_the_reference_before() -> None:
    trajectory = make()
    direct = trajectory.in_reference_frame("framework", ["Li"])
    twice = trajectory.in_reference_frame("species:S").in_reference_frame("framework", ["Li"])
    np.testing.assert_allclose(twice.drift, direct.drift, atol=1e-12)
    assert twice.provenance.operations[-1] == "reference frame framework:P,S"


def test_drift_and_breathing_change_the_slope_by_less_than_one_percent() -> None:
    rng = np.random.default_rng(3)
    n_frames = 4000
    expected = slope(make(4, n_frames).in_reference_frame("framework", ["Li"]))
    drift = np.cumsum(0.05 * rng.standard_normal((n_frames, 3)), axis=0) + np.arange(n_frames)[:, None] * 0.05
    drifting = make(4, n_frames, drift=drift)
    assert slope(drifting.in_reference_frame("framework", ["Li"])) == pytest.approx(expected, rel=0.01)
    assert slope(drifting) > 1.5 * expected  # without a reference it is wrong
    breathing = make(4, n_frames, 1 + 0.01 * np.sin(np.arange(n_frames) / 7.0))
    assert slope(breathing.in_reference_frame("framework", ["Li"])) == pytest.approx(expected, rel=0.01)
    both = make(4, n_frames, 1 + 0.01 * rng.standard_normal(n_frames), drift)
    assert slope(both.in_reference_frame("framework", ["Li"])) == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(
    ("reference", "mobile", "message"),
    [
        ("framework", ["Li", "P", "S"], "there is no framework: every atom is of a mobile species .Li, P, S."),
        ("framework", [], "needs the mobile species; pass mobile="),
        ("framework", ["Na"], "species 'Na' is not in the trajectory, which holds Li, P, S"),
        ("framework:S", ["Li"], "names another framework than 'framework:P,S'"),
        ("species:Na", [], "species 'Na' is not in the trajectory"),
        ("species:", [], "names no species"),
        ("center", [], "'center' is unknown; expected framework, barycentric, none or species:"),
    ],
)
def test_what_cannot_be_held_at_rest(reference: str, mobile: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        make(n_frames=3).in_reference_frame(reference, mobile)
    assert "\n" not in str(error.value)
