"""Units by their bonds: molecules of every kind built by hand, and how they change in time."""

import numpy as np
import pytest
from ase.data import atomic_numbers, covalent_radii

from mlip_sse.analysis.results import Quality
from mlip_sse.analysis.structure.polyhedra import classify, default_bond_lengths, find_bonding
from mlip_sse.analysis.structure.speciation import Speciation
from mlip_sse.analysis.structure.time_averages import share_interval
from mlip_sse.errors import InputError
from mlip_sse.trajectory.model import Trajectory

SLANTED = np.array([[30.0, 0.0, 0.0], [9.0, 28.0, 0.0], [-8.0, 7.0, 29.0]])
CORNERS = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3)
PS4 = ("PSSSS", [[0, 0, 0], *(2.05 * CORNERS)])
PS3 = ("PSSS", PS4[1][:4])


def _p2s7():
    """Two tetrahedra that share a corner: the second one is the first, seen in a mirror through that corner."""
    corner = 2.05 * CORNERS[0]
    mirrored = [2 * corner - each for each in PS4[1]]
    return "PSSSSPSSS", [*PS4[1], mirrored[0], *mirrored[2:]]


def _p2s6():
    """P-P bond of 2.25 Å, three S on each end, staggered."""
    one = np.array([[0, 0, 0], *(2.05 * CORNERS[1:])])
    return "PSSSPSSS", [*one, *(2.25 * CORNERS[0] - one)]


def _p2s6_edge():
    """Two tetrahedra that share an edge, 2.9 Å from P to P."""
    bridges = [[0, 0, 1.45], [0, 0, -1.45]]
    ends = [[s * (1.45 + 1.15), t * 1.7, 0] for s in (-1, 1) for t in (-1, 1)]
    return "PPSSSSSS", [[-1.45, 0, 0], [1.45, 0, 0], *bridges, *ends]


UNITS = {
    "PS4": PS4,
    "P2S7": _p2s7(),
    "P2S6": _p2s6(),
    "P2S6 edge-sharing": _p2s6_edge(),
    "PS3": PS3,
    "free": ("S", [[0, 0, 0]]),
    "homopolar": ("SS", [[0, 0, 0], [2.05, 0, 0]]),
}


def mixture(names, seed=0):
    """Units in random orientations, far apart, some of them across the faces of the cell."""
    rng = np.random.default_rng(seed)
    symbols, positions, labels = [], [], []
    for k, name in enumerate(names):
        turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        where = (np.array(np.unravel_index(k, (3, 3, 3))) / 3.0) @ SLANTED
        symbols += list(UNITS[name][0])
        positions.append(np.array(UNITS[name][1]) @ turn + where)
        labels += [name] * len(UNITS[name][0])
    fractions = np.concatenate(positions) @ np.linalg.inv(SLANTED)
    return np.array(symbols), (fractions % 1.0) @ SLANTED, np.array(labels)


def units_of(symbols, positions, cell=SLANTED):
    centres, ligands = np.flatnonzero(symbols == "P"), np.flatnonzero(symbols == "S")
    bonding = find_bonding(positions, cell, centres, ligands, default_bond_lengths("P", "S"))
    return classify(bonding, len(centres), len(ligands), ("P", "S"))


ALL = ["PS4", "P2S7", "P2S6", "P2S6 edge-sharing", "PS3", "free", "homopolar", "PS4"]


def test_every_unit_is_recognised_across_the_faces_of_a_slanted_cell():
    symbols, positions, labels = mixture(ALL)
    units = units_of(symbols, positions)
    names = np.array(units.names)
    assert names[units.of_centres].tolist() == labels[symbols == "P"].tolist()
    assert names[units.of_ligands].tolist() == labels[symbols == "S"].tolist()
    whole = dict(zip(units.names, units.intact, strict=True))
    assert [whole[name] for name in ALL] == [True, True, True, True, False, True, False, True]
    assert units.coordination.tolist() == [4, 4, 4, 3, 3, 4, 4, 3, 4]


def test_order_rotation_and_wrapping_change_nothing():
    symbols, positions, labels = mixture(ALL, 1)
    rng = np.random.default_rng(2)
    order, (turn, _) = rng.permutation(len(symbols)), np.linalg.qr(rng.normal(size=(3, 3)))
    moved = (positions + rng.integers(-1, 2, (len(symbols), 3)) @ SLANTED + 0.3)[order] @ turn
    units = units_of(symbols[order], moved, SLANTED @ turn)
    assert np.array(units.names)[units.of_centres].tolist() == labels[order][symbols[order] == "P"].tolist()
    assert np.array(units.names)[units.of_ligands].tolist() == labels[order][symbols[order] == "S"].tolist()


@pytest.mark.parametrize(
    ("pair", "bond", "next_nearest"), [("PS", 2.05, 3.3), ("PO", 1.55, 2.8), ("Ge S", 2.22, 3.4), ("Si S", 2.13, 3.3)]
)
def test_default_bonds_end_between_the_first_and_the_second_shell(pair, bond, next_nearest):
    one, other = pair.split() if " " in pair else pair
    length = default_bond_lengths(one, other).ligand
    assert length == pytest.approx(1.25 * sum(covalent_radii[atomic_numbers[s]] for s in (one, other)))
    assert 1.2 * bond < length < 0.9 * next_nearest


def followed(frames, symbols, cell=SLANTED):
    return Trajectory.from_arrays(symbols, np.array(frames), cell, 100.0)


def test_numbers_of_a_vibrating_mixture():
    symbols, positions, _ = mixture(["PS4"] * 6 + ["P2S7"] * 2 + ["free"] * 3)
    rng = np.random.default_rng(3)
    result = Speciation().run(followed(positions + rng.normal(0, 0.05, (60, len(symbols), 3)), symbols))
    assert result.centre_shares["PS4"].value == pytest.approx(0.6)
    assert result.centre_shares["P2S7"].value == pytest.approx(0.4)
    assert result.ligand_shares["free"].value == pytest.approx(3 / 41)
    assert result.intact.value == 1.0
    assert result.intact.low == pytest.approx(0.025 ** (1 / 10))  # Clopper and Pearson: ten of ten
    assert result.coordination.value == 4.0
    assert result.bond_length.low < np.hypot(2.05, 0.05 * 2) < result.bond_length.high  # |r + noise|, to second order
    assert result.bond_spread == pytest.approx(0.05 * np.sqrt(2), rel=0.05)
    assert result.angle.value == pytest.approx(109.47, abs=0.3)
    middles, density = result.bond_histogram
    assert density.sum() * (middles[1] - middles[0]) == pytest.approx(1.0)
    assert result.changes == ()
    assert result.verdict.quality is Quality.PASS


def test_a_bond_that_breaks_for_good_is_an_event_and_a_vibration_is_none():
    symbols, positions, _ = mixture(["PS4"] * 4)
    frames = np.tile(positions, (30, 1, 1))
    far = 0.9 * (positions[1] - positions[0])
    frames[12:, 1] += far  # ligand 1 leaves centre 0 for good
    away = 0.9 * (positions[6] - positions[5])
    frames[4:6, 6] += away  # ligand 6 leaves centre 5 for two frames
    result = Speciation().run(followed(frames, symbols))
    assert [(change.frame, change.centre, change.before, change.after) for change in result.changes] == [
        (12, 0, "PS4", "PS3")
    ]
    assert result.intact.value == pytest.approx(1 - (18 + 2) / 120)
    assert result.ligand_shares["free"].value == pytest.approx((18 + 2) / 480)
    assert result.intact.low < result.intact.value < result.intact.high


def test_intervals_of_shares_cover_the_truth():
    """Atoms that are one kind for good, and atoms that switch often: 95 % intervals of both, 400 times."""
    rng = np.random.default_rng(4)
    for frozen in (True, False):
        covered = 0
        for _ in range(400):
            belongs = rng.random((40, 30)) < 0.3
            if frozen:
                belongs = np.repeat(rng.random((1, 30)) < 0.3, 40, axis=0)
            interval = share_interval(belongs)
            covered += interval.low <= 0.3 <= interval.high
        assert 0.92 <= covered / 400  # 95 % less three standard errors of 400 repeats


def test_bonds_that_end_nowhere_weaken_the_result():
    rng = np.random.default_rng(5)
    positions = np.tile(rng.random((60, 3)) * 12, (12, 1, 1))
    result = Speciation().run(followed(positions, np.array(["P"] * 15 + ["S"] * 45), 12 * np.eye(3)))
    assert result.verdict.quality is Quality.WEAK
    assert "bonds are within 5% of the longest, 2.65 Å: where bonds end is not clear" in result.verdict.reasons[0]


def test_what_makes_no_sense_is_refused():
    symbols, positions, _ = mixture(["PS4"])
    trajectory = followed(np.tile(positions, (12, 1, 1)), symbols)
    with pytest.raises(InputError, match="species 'Ge' is not in the trajectory"):
        Speciation("Ge", "S").run(trajectory)
    with pytest.raises(InputError, match="'S' as centre and as ligand"):
        Speciation("S", "S")
    apart = followed(np.tile([[1.0, 1, 1], [9, 9, 9]], (12, 1, 1)), np.array(["P", "S"]))
    with pytest.raises(InputError, match=r"no S is within 2.65 Å of any of the 1 P; name other species"):
        Speciation().run(apart)
