"""Which polyanions a trajectory holds, how their shares move, which of them break, and the shape of what is whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.results import Interval, Verdict
from mlip_sse.analysis.structure.polyhedra import (
    Bonding,
    BondLengths,
    Units,
    classify,
    default_bond_lengths,
    find_bonding,
)
from mlip_sse.analysis.structure.snapshots import snapshots
from mlip_sse.analysis.structure.time_averages import mean_over_time, share_interval
from mlip_sse.errors import InputError

if TYPE_CHECKING:
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["Speciation", "SpeciationResult", "UnitChange"]

_UNCLEAR_BAND = 0.05
_UNCLEAR_SHARE = 0.02
_BINS = 200


@dataclass(frozen=True)
class UnitChange:
    """A centre that from ``frame`` on, and for long enough, belongs to another kind of unit."""

    frame: int
    centre: int
    before: str
    after: str


@dataclass(frozen=True, eq=False)
class SpeciationResult:
    """Units of a trajectory.

    Parameters
    ----------
    centre, ligand
        Chemical symbols.
    lengths
        Longest bonds, Å.
    names
        Kinds of units.
    centre_shares, ligand_shares
        Share of the centres, and of the ligands, in units of each kind that occurs.
    intact
        Share of the centres that are in intact units.
    bound_to_centre, bound_to_ligand
        Share of the centres with a bond to another centre, and of the ligands with one to another ligand.
    coordination
        Ligands of a centre.
    bond_length, angle
        Mean in Å, and in degrees of ligand-centre-ligand, of intact units; None where there is none.
    bond_spread, angle_spread
        Standard deviations of single bonds and angles.
    changes
        Centres whose unit changed for good.
    frames : (n_frames,) that were looked at
    centres, ligands
        Indices of the atoms.
    of_centres : (n_frames, n_centres) places in `names`
    of_ligands : (n_frames, n_ligands) places in `names`
    bond_histogram, angle_histogram
        Middles of bins and density, of intact units.
    verdict
        Quality and reasons.
    """

    centre: str
    ligand: str
    lengths: BondLengths
    names: tuple[str, ...]
    centre_shares: Mapping[str, Interval]
    ligand_shares: Mapping[str, Interval]
    intact: Interval
    bound_to_centre: Interval
    bound_to_ligand: Interval
    coordination: Interval
    bond_length: Interval | None
    angle: Interval | None
    bond_spread: float
    angle_spread: float
    changes: tuple[UnitChange, ...]
    frames: NDArray[np.int64]
    centres: NDArray[np.intp]
    ligands: NDArray[np.intp]
    of_centres: NDArray[np.int16]
    of_ligands: NDArray[np.int16]
    bond_histogram: tuple[NDArray[np.float64], NDArray[np.float64]]
    angle_histogram: tuple[NDArray[np.float64], NDArray[np.float64]]
    verdict: Verdict


@dataclass(frozen=True)
class Speciation:
    """Settings.

    Parameters
    ----------
    centre, ligand
        Chemical symbols.
    lengths
        Longest bonds in Å; by default 1.25 times the sums of covalent radii.
    nominal
        Bonds of each centre of an intact unit.
    stride
        Frames from one look to the next.
    persistence
        A unit has changed when it is another one at this many looks in a row; less is a vibration.
    confidence
        Of all intervals.
    """

    centre: str = "P"
    ligand: str = "S"
    lengths: BondLengths | None = None
    nominal: int = 4
    stride: int = 1
    persistence: int = 3
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if self.centre == self.ligand:
            raise InputError(f"found {self.centre!r} as centre and as ligand, expected two species")
        if self.nominal < 1 or self.persistence < 1 or self.stride < 1:
            found = f"nominal {self.nominal}, persistence {self.persistence} and stride {self.stride}"
            raise InputError(f"found {found}, expected all of them positive")

    def run(self, trajectory: "Trajectory") -> SpeciationResult:
        """Classify every look at a trajectory.

        Raises
        ------
        InputError
            When a species is missing, or no centre has a ligand.
        """
        centres, ligands = trajectory.indices(self.centre), trajectory.indices(self.ligand)
        lengths = self.lengths or default_bond_lengths(self.centre, self.ligand)
        looks = _Looks(self, lengths, centres, ligands)
        for each in snapshots(trajectory, self.stride):
            looks.add(each.frame, find_bonding(each.positions, each.cell, centres, ligands, lengths))
        return looks.result()


class _Looks:
    """What is kept of each look."""

    def __init__(
        self, settings: Speciation, lengths: BondLengths, centres: NDArray[np.intp], ligands: NDArray[np.intp]
    ) -> None:
        self.settings, self.lengths, self.centres, self.ligands = settings, lengths, centres, ligands
        self.names: dict[tuple[str, bool], int] = {}
        self.rows: dict[str, list[NDArray[np.generic]]] = {key: [] for key in ("centres", "ligands", "one", "other")}
        self.frames: list[int] = []
        self.coordination: list[float] = []
        self.bonds: list[tuple[float, float, int]] = []
        self.angles: list[tuple[float, float, int]] = []
        self.edges = np.linspace(0.6 * lengths.ligand, lengths.ligand, _BINS + 1), np.linspace(40.0, 180.0, _BINS + 1)
        self.counts = np.zeros(_BINS), np.zeros(_BINS)
        self.n_unclear = 0
        self.n_bonds = 0
        self._last: tuple[Bonding, Units] | None = None

    def add(self, frame: int, bonding: Bonding) -> None:
        symbols = (self.settings.centre, self.settings.ligand)
        if self._last is not None and bonding.same_as(self._last[0]):
            units = self._last[1]
        else:
            units = classify(bonding, len(self.centres), len(self.ligands), symbols, self.settings.nominal)
        self._last = bonding, units
        self.frames.append(frame)
        kinds = [
            self.names.setdefault(label, len(self.names))
            for label in zip(units.names, units.intact.tolist(), strict=True)
        ]
        table = np.array(kinds, dtype=np.int16)
        self.rows["centres"].append(table[units.of_centres])
        self.rows["ligands"].append(table[units.of_ligands])
        self.rows["one"].append(np.isin(np.arange(len(self.centres)), bonding.between_centres))
        self.rows["other"].append(np.isin(np.arange(len(self.ligands)), bonding.between_ligands))
        self.coordination.append(float(units.coordination.mean()))
        self._measure(bonding, units)

    def _measure(self, bonding: Bonding, units: Units) -> None:
        every = np.linalg.norm(bonding.vectors, axis=1)
        self.n_bonds += len(every)
        self.n_unclear += int((every > (1.0 - _UNCLEAR_BAND) * self.lengths.ligand).sum())
        whole = units.intact[units.of_centres][bonding.bonds[:, 0]]
        owners, vectors, distances = bonding.bonds[whole, 0], bonding.vectors[whole], every[whole]
        angles = _angles(owners, vectors / distances[:, None]) if len(owners) else np.empty(0)
        for values, sums, counts, edges in zip(
            (distances, angles), (self.bonds, self.angles), self.counts, self.edges, strict=True
        ):
            if values.size:
                sums.append((float(values.sum()), float((values**2).sum()), values.size))
                counts += np.histogram(values, edges)[0]

    def result(self) -> SpeciationResult:
        settings, verdict = self.settings, Verdict()
        centre, ligand, confidence = settings.centre, settings.ligand, settings.confidence
        if not self.n_bonds:
            raise InputError(
                f"no {ligand} is within {self.lengths.ligand:.3g} Å of any of the {len(self.centres)} {centre}; "
                "name other species or a longer bond"
            )
        if self.n_unclear > _UNCLEAR_SHARE * self.n_bonds:
            verdict = verdict.weaken(
                f"{self.n_unclear / self.n_bonds:.1%} of the {centre}-{ligand} bonds are within {_UNCLEAR_BAND:.0%} of "
                f"the longest, {self.lengths.ligand:.3g} Å: where bonds end is not clear, look at g(r)"
            )
        names = [name for name, _ in self.names]
        rows = {key: np.stack(value) for key, value in self.rows.items()}
        whole = np.array([intact for _, intact in self.names])
        intact = share_interval(whole[rows["centres"]], confidence)
        coordination = mean_over_time(np.array(self.coordination), confidence, lowest=0.0)
        for reason in coordination.verdict.reasons:
            verdict = verdict.weaken(reason)
        bond_length, bond_spread = _mean_and_spread(self.bonds, confidence)
        angle, angle_spread = _mean_and_spread(self.angles, confidence)
        return SpeciationResult(
            centre,
            ligand,
            self.lengths,
            tuple(names),
            _shares(rows["centres"], names, confidence),
            _shares(rows["ligands"], names, confidence),
            intact,
            share_interval(rows["one"], confidence),
            share_interval(rows["other"], confidence),
            coordination.interval,
            bond_length,
            angle,
            bond_spread,
            angle_spread,
            _changes(rows["centres"], self.frames, self.centres, names, settings.persistence),
            np.array(self.frames),
            self.centres,
            self.ligands,
            rows["centres"],
            rows["ligands"],
            _density(self.edges[0], self.counts[0]),
            _density(self.edges[1], self.counts[1]),
            verdict,
        )


def _shares(rows: NDArray[np.int16], names: list[str], confidence: float) -> dict[str, Interval]:
    present = [
        k for k in np.argsort(-np.bincount(rows.ravel(), minlength=len(names)), kind="stable") if (rows == k).any()
    ]
    return {names[k]: share_interval(rows == k, confidence) for k in present}


def _mean_and_spread(sums: list[tuple[float, float, int]], confidence: float) -> tuple[Interval | None, float]:
    if not sums:
        return None, float("nan")
    table = np.array(sums)
    mean, square = table[:, 0].sum() / table[:, 2].sum(), table[:, 1].sum() / table[:, 2].sum()
    interval = mean_over_time(table[:, 0] / table[:, 2], confidence).interval
    return interval, float(np.sqrt(max(square - mean * mean, 0.0)))


def _angles(owners: NDArray[np.int64], units: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the angles in degrees between all bonds of the same centre; owners are sorted."""
    found = []
    starts = np.flatnonzero(np.diff(owners, prepend=-1))
    sizes = np.diff(np.append(starts, len(owners)))
    for size in np.unique(sizes):
        one, other = np.triu_indices(int(size), 1)
        first = starts[sizes == size][:, None]
        cosines = np.einsum("ijk,ijk->ij", units[first + one], units[first + other])
        found.append(np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0))).ravel())
    return np.concatenate(found)


def _changes(
    rows: NDArray[np.int16], frames: list[int], centres: NDArray[np.intp], names: list[str], persistence: int
) -> tuple[UnitChange, ...]:
    """Return the changes that last: of runs shorter than the persistence nothing is said."""
    found = []
    for column in np.flatnonzero((rows != rows[0]).any(axis=0)):
        kinds = rows[:, column]
        starts = np.flatnonzero(np.diff(kinds, prepend=-1))
        lengths = np.diff(np.append(starts, len(kinds)))
        lasting = [start for start, length in zip(starts, lengths, strict=True) if length >= persistence]
        for before, after in pairwise(lasting):
            if kinds[before] != kinds[after]:
                label = names[kinds[before]], names[kinds[after]]
                found.append(UnitChange(frames[after], int(centres[column]), *label))
    return tuple(sorted(found, key=lambda change: (change.frame, change.centre)))


def _density(
    edges: NDArray[np.float64], counts: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    middles, width = 0.5 * (edges[1:] + edges[:-1]), edges[1] - edges[0]
    return middles, counts / max(counts.sum() * width, 1e-300)
