"""Softness against what is around an ion: the nearest unit or species, the number of neighbours, other ions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from mlip_sse.analysis.results import Interval
from mlip_sse.analysis.softness.features import StructureFunctions
from mlip_sse.analysis.structure.neighbours import Neighbours, neighbour_list
from mlip_sse.errors import InputError

if TYPE_CHECKING:
    from mlip_sse.trajectory.model import Trajectory

__all__ = [
    "LocalSoftness",
    "Surroundings",
    "by_coordination",
    "by_nearest",
    "coordination_correlation",
    "look_around",
    "unit_labels",
]

_N_DRAWS = 500
_MIN_SHARE = 0.002


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What is near each mobile ion at each frame.

    Parameters
    ----------
    labels : names of the units or species
    nearest : (n_frames, n_ions)
        Number of the nearest labelled atom's label, -1 where none lies within reach.
    counts : (n_frames, n_ions, n_labels)
        Labelled atoms within the coordination cutoff.
    cutoff
        That cutoff in Å.
    """

    labels: tuple[str, ...]
    nearest: NDArray[np.int64]
    counts: NDArray[np.int64]
    cutoff: float


@dataclass(frozen=True)
class LocalSoftness:
    """Mean softness of ions in one kind of surroundings.

    Parameters
    ----------
    surroundings
        In words, such as ``nearest S`` or ``4 S within 3.2 Å``.
    share
        Of all ions and frames.
    softness
        Mean, with the interval of a bootstrap over ions.
    """

    surroundings: str
    share: float
    softness: Interval


def look_around(
    trajectory: "Trajectory",
    functions: StructureFunctions,
    frames: NDArray[np.integer],
    ions: NDArray[np.integer],
    atom_labels: Sequence[str],
    cutoff: float,
    reach: float = 6.0,
) -> Surroundings:
    """Find the nearest labelled atom of each ion, and count labelled atoms around it.

    Parameters
    ----------
    functions
        For the averaging of positions in time.
    atom_labels : one for each atom
        Unit type or species; an empty label is not looked at.
    cutoff, reach
        Å; of the coordination number and of the nearest atom.

    Raises
    ------
    InputError
        When labels do not fit the atoms, or none is given.
    """
    if len(atom_labels) != trajectory.n_atoms:
        raise InputError(f"found {len(atom_labels)} labels, expected one for each of {trajectory.n_atoms} atoms")
    names = tuple(sorted({str(label) for label in atom_labels if label}))
    if not names:
        raise InputError("found no label, expected the unit type or species of at least one atom")
    numbers = np.array([names.index(str(label)) if label else -1 for label in atom_labels])
    labelled = np.flatnonzero(numbers >= 0)
    nearest = np.empty((len(frames), len(ions)), np.int64)
    counts = np.empty((len(frames), len(ions), len(names)), np.int64)
    for row, frame in enumerate(frames):
        positions, cell = functions.averaged(trajectory, int(frame))
        near = neighbour_list(positions, cell, max(reach, cutoff), ions, labelled)
        nearest[row], counts[row] = _nearest(near, numbers, reach), _counts(near, numbers, cutoff, len(names))
    return Surroundings(names, nearest, counts, cutoff)


def unit_labels(trajectory: "Trajectory", mobile: Sequence[str], centre: str, ligand: str) -> list[str]:
    """Return the unit of each ligand in the first frame, such as PS4 or free, and the species of other immobile atoms.

    Centres lie inside of their units and have no label; a unit that breaks later keeps its first name.
    """
    from mlip_sse.analysis.structure.polyhedra import classify, default_bond_lengths, find_bonding

    centres, ligands = trajectory.indices(centre), trajectory.indices(ligand)
    lengths = default_bond_lengths(centre, ligand)
    positions, cell = np.asarray(trajectory.positions[0], dtype=np.float64), trajectory.cells[0]
    bonding = find_bonding(positions, cell, centres, ligands, lengths)
    units = classify(bonding, len(centres), len(ligands), (centre, ligand))
    labels = ["" if str(symbol) in (*mobile, centre) else str(symbol) for symbol in trajectory.species]
    for atom, kind in zip(ligands, units.of_ligands, strict=True):
        name = units.names[kind]
        labels[atom] = f"{name} {ligand}" if name == "free" else name
    return labels


def by_nearest(surroundings: Surroundings, softness: NDArray[np.float64], confidence: float) -> list[LocalSoftness]:
    """Return the mean softness (of values (n_frames, n_ions)) by the label of the nearest atom."""
    kinds = [(f"nearest {name}", surroundings.nearest == k) for k, name in enumerate(surroundings.labels)]
    return _means(kinds, softness, confidence)


def by_coordination(
    surroundings: Surroundings, softness: NDArray[np.float64], confidence: float
) -> list[LocalSoftness]:
    """Return the mean softness by the number of atoms of each label within the cutoff."""
    kinds = []
    for k, name in enumerate(surroundings.labels):
        counts = surroundings.counts[..., k]
        kinds += [(f"{n} {name} within {surroundings.cutoff:g} Å", counts == n) for n in range(int(counts.max()) + 1)]
    return _means(kinds, softness, confidence)


def coordination_correlation(
    surroundings: Surroundings, softness: NDArray[np.float64], confidence: float
) -> dict[str, Interval]:
    """Return the correlation coefficient of softness and the number of atoms of each label within the cutoff.

    The interval is that of a bootstrap over ions, on Fisher's scale; labels whose number never changes are left out.
    """
    out = {}
    for k, name in enumerate(surroundings.labels):
        counts = surroundings.counts[..., k].astype(np.float64)
        if counts.std() == 0 or softness.std() == 0:
            continue
        moments = np.stack(
            [np.ones_like(counts), counts, softness, counts**2, softness**2, counts * softness]
        ).sum(axis=1)  # fmt: skip
        value = float(_correlation(moments.sum(axis=1)))
        drawn = _correlation((_weights(moments.shape[1]) @ moments.T).T)
        reach = _quantile(moments.shape[1], confidence) * float(np.std(np.arctanh(drawn), ddof=1))
        low, high = np.tanh(np.arctanh(value) + np.array([-reach, reach]))
        out[name] = Interval(value, float(low), float(high), confidence, "bootstrap over ions on Fisher's scale")
    return out


def _means(
    kinds: Sequence[tuple[str, NDArray[np.bool_]]], softness: NDArray[np.float64], confidence: float
) -> list[LocalSoftness]:
    weights = _weights(softness.shape[1])
    out = []
    for name, inside in kinds:
        counts, sums = inside.sum(axis=0).astype(np.float64), np.where(inside, softness, 0.0).sum(axis=0)
        share = float(counts.sum() / inside.size)
        if share < _MIN_SHARE or np.count_nonzero(counts) < 2:
            continue
        value = float(sums.sum() / counts.sum())
        seen = weights @ counts
        drawn = (weights @ sums)[seen > 0] / seen[seen > 0]
        n_ions = int(np.count_nonzero(counts))
        reach = _quantile(n_ions, confidence) * float(np.std(drawn, ddof=1))
        method = f"bootstrap over ions, {n_ions} of which were there"
        out.append(LocalSoftness(name, share, Interval(value, value - reach, value + reach, confidence, method)))
    return out


def _weights(n_ions: int) -> NDArray[np.float64]:
    # one seed: equal ions are drawn for every kind, so that kinds can be compared
    drawn = np.random.default_rng(0).multinomial(n_ions, np.full(n_ions, 1.0 / n_ions), size=_N_DRAWS)
    return drawn.astype(np.float64)


def _quantile(n_ions: int, confidence: float) -> float:
    return float(stdtrit(max(n_ions - 1, 1), 0.5 * (1 + confidence)))


def _correlation(moments: NDArray[np.float64]) -> NDArray[np.float64]:
    n, x, y, xx, yy, xy = moments
    spread = np.sqrt(np.maximum((n * xx - x * x) * (n * yy - y * y), 1e-300))
    values: NDArray[np.float64] = np.clip((n * xy - x * y) / spread, -0.999999, 0.999999)
    return values


def _nearest(near: Neighbours, numbers: NDArray[np.int64], reach: float) -> NDArray[np.int64]:
    order = np.lexsort((near.distances, near.centres))
    out = np.full(len(near.offsets) - 1, -1, np.int64)
    some = near.counts > 0
    first = order[near.offsets[:-1][some]]
    out[some] = np.where(near.distances[first] < reach, numbers[near.indices[first]], -1)
    return out


def _counts(near: Neighbours, numbers: NDArray[np.int64], cutoff: float, n_labels: int) -> NDArray[np.int64]:
    inside = near.distances < cutoff
    out = np.zeros((len(near.offsets) - 1, n_labels), np.int64)
    np.add.at(out, (near.centres[inside], numbers[near.indices[inside]]), 1)
    return out
