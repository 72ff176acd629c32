"""The structure of one trajectory: pairs, S(q), density of the mobile ion, polyanions, order of a sublattice."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from mlip_sse.analysis.results import Interval, Verdict
from mlip_sse.analysis.structure.density_analysis import DensityMapResult, DensityMaps
from mlip_sse.analysis.structure.distortions import DistortionResult, Distortions
from mlip_sse.analysis.structure.frames import fractional_frames
from mlip_sse.analysis.structure.outliers import OutlierDetector
from mlip_sse.analysis.structure.pair_distributions import (
    PairDistribution,
    PairDistributionResult,
    PairDistributions,
    Shell,
)
from mlip_sse.analysis.structure.polyhedra import default_bond_lengths, find_bonding
from mlip_sse.analysis.structure.rdf import peak_position
from mlip_sse.analysis.structure.snapshots import snapshots
from mlip_sse.analysis.structure.speciation import Speciation, SpeciationResult
from mlip_sse.analysis.structure.steinhardt import Steinhardt, SteinhardtResult
from mlip_sse.analysis.structure.structure_factor import StructureFactorResult, StructureFactors
from mlip_sse.errors import InputError

if TYPE_CHECKING:
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["Structure", "StructureResult", "peak_interval"]

ANIONS = ("O", "S", "Se", "Te", "F", "Cl", "Br", "I", "N")
_CENTRES = ("P", "Si", "Ge", "Sn", "As", "Sb")
_LIGANDS = ("O", "S", "Se")
_N_BLOCKS = 10
_FEWEST_STRUCTURES = 10
_MOST_FRAMES = 200


@dataclass(frozen=True, eq=False)
class StructureResult:
    """What `Structure.run` finds; parts that were not asked for, or do not apply, are None or empty.

    Parameters
    ----------
    mobile
        Mobile species.
    pairs
        g(r), shells and coordination numbers.
    main_shells
        Those of the mobile ion, of bonds in polyanions, by names such as ``S around Li``.
    peaks
        Position of the first peak in Å with its interval, by the pair's name.
    structure_factor
        S(q).
    density_map
        Density of the mobile ion; free energy and barriers where the temperature is known.
    speciation
        By names such as ``P-S``.
    order
        Steinhardt order of the sublattice.
    sublattice
        Species of the sublattice.
    distortions
        Unusual surroundings.
    framework : (n, 3) Å, mean positions of the atoms that do not move, and their species
    temperature_k
        Where it is known.
    confidence
        Of all intervals.
    verdict
        Quality and reasons.
    """

    mobile: tuple[str, ...]
    pairs: PairDistributionResult
    main_shells: Mapping[str, Shell]
    peaks: Mapping[str, Interval]
    structure_factor: StructureFactorResult | None
    density_map: DensityMapResult
    speciation: Mapping[str, SpeciationResult]
    order: SteinhardtResult | None
    sublattice: tuple[str, ...]
    distortions: DistortionResult | None
    framework: tuple[NDArray[np.float64], NDArray[np.str_]]
    temperature_k: float | None
    confidence: float
    verdict: Verdict


@dataclass(frozen=True)
class Structure:
    """Settings; each analyzer's own where there is one.

    Parameters
    ----------
    mobile
        Mobile species.
    pairs, factors
        Of g(r) and S(q); no S(q) with None.
    density_resolution, density_smoothing
        Distance of grid planes and standard deviation of the Gaussian, Å.
    polyhedra
        Pairs of centre and ligand; None for those that are bonded in the first frame.
    sublattice
        Species whose order is looked at; None for the anions that do not move.
    degrees
        l of q_l.
    vibration_fs
        Time over which positions are averaged for q_l and for distortions.
    outliers
        Detector of unusual surroundings, None for no search.
    confidence
        Of all intervals.
    """

    mobile: tuple[str, ...] = ("Li",)
    pairs: PairDistributions = field(default_factory=PairDistributions)
    factors: StructureFactors | None = field(default_factory=StructureFactors)
    density_resolution: float = 0.3
    density_smoothing: float = 0.3
    polyhedra: tuple[tuple[str, str], ...] | None = None
    sublattice: tuple[str, ...] | None = None
    degrees: tuple[int, ...] = (4, 6)
    vibration_fs: float = 1000.0
    outliers: OutlierDetector | None = None
    confidence: float = 0.95

    def run(self, trajectory: "Trajectory") -> StructureResult:
        """Analyse a trajectory, seen from its framework.

        Raises
        ------
        InputError
            When a species is missing, or a setting does not fit the cell.
        """
        trajectory.indices(self.mobile)
        pairs = replace(self.pairs, confidence=self.confidence).run(trajectory)
        verdict = pairs.verdict
        units = {f"{one}-{other}": self._units(trajectory, one, other) for one, other in self._pairs_of(trajectory)}
        factor = None if self.factors is None else self.factors.run(trajectory)
        maps = DensityMaps(
            self.mobile, self.density_resolution, self.density_smoothing, confidence=self.confidence
        ).run(trajectory)
        sublattice = self._sublattice(trajectory)
        order = None
        if sublattice and self.degrees:
            window = self._window(trajectory)
            settings = Steinhardt(self.degrees, confidence=self.confidence)
            order = settings.run(trajectory, sublattice, window, window)
        distortions = self._distortions(trajectory, sublattice)
        main = self._main_shells(trajectory, pairs, units)
        doubts: dict[str, Verdict] = {f"shell of {name}": shell.verdict for name, shell in main.items()}
        doubts |= {f"{name} units": part.verdict for name, part in units.items()}
        for what, part in (("S(q)", factor), ("order", order), ("density", maps), ("distortions", distortions)):
            if part is not None:
                doubts[what] = part.verdict
        for what, doubt in doubts.items():
            for reason in doubt.reasons:
                verdict = verdict.weaken(f"{what}: {reason}")
        return StructureResult(
            self.mobile,
            pairs,
            main,
            _peaks(pairs, main, self.confidence),
            factor,
            maps,
            units,
            order,
            sublattice,
            distortions,
            _framework(trajectory, self.mobile),
            trajectory.temperature_k,
            self.confidence,
            verdict,
        )

    def _pairs_of(self, trajectory: "Trajectory") -> tuple[tuple[str, str], ...]:
        if self.polyhedra is not None:
            return self.polyhedra
        present = set(np.unique(trajectory.species).tolist())
        found = []
        first = next(snapshots(trajectory))
        for centre in (symbol for symbol in _CENTRES if symbol in present):
            for ligand in (symbol for symbol in _LIGANDS if symbol in present):
                atoms = trajectory.indices(centre), trajectory.indices(ligand)
                lengths = default_bond_lengths(centre, ligand)
                if len(find_bonding(first.positions, first.cell, *atoms, lengths).bonds):
                    found.append((centre, ligand))
        return tuple(found)

    def _units(self, trajectory: "Trajectory", centre: str, ligand: str) -> SpeciationResult:
        step = -(-trajectory.n_frames // self.pairs.most_frames)
        return Speciation(centre, ligand, stride=step, confidence=self.confidence).run(trajectory)

    def _sublattice(self, trajectory: "Trajectory") -> tuple[str, ...]:
        if self.sublattice is not None:
            trajectory.indices(self.sublattice)
            return self.sublattice
        present = set(np.unique(trajectory.species).tolist()) - set(self.mobile)
        return tuple(symbol for symbol in ANIONS if symbol in present)

    def _window(self, trajectory: "Trajectory") -> int:
        """Return how many frames are averaged: the time of the vibration, or less where structures would be few."""
        wanted = round(self.vibration_fs / trajectory.frame_spacing_fs)
        return max(1, min(wanted, trajectory.n_frames // _FEWEST_STRUCTURES))

    def _distortions(self, trajectory: "Trajectory", sublattice: tuple[str, ...]) -> DistortionResult | None:
        if self.outliers is None:
            return None
        framework = tuple(s for s in np.unique(trajectory.species).tolist() if s not in self.mobile)
        if not framework or not sublattice:
            raise InputError(
                f"found {', '.join(self.mobile)} mobile and no framework whose distortions could be looked for; set "
                "outliers: null"
            )
        window = self._window(trajectory)
        search = Distortions(replace(self.outliers, confidence=self.confidence), stride=window, n_averaged=window)
        return search.run(trajectory, trajectory.indices(sublattice), framework)

    def _main_shells(
        self, trajectory: "Trajectory", pairs: PairDistributionResult, units: Mapping[str, SpeciationResult]
    ) -> dict[str, Shell]:
        """Return the shells of anions and mobile ions around the mobile ion, and of ligands around their centres."""
        present = dict.fromkeys(str(symbol) for symbol in trajectory.species)
        around = [s for s in present if s in ANIONS and s not in self.mobile] + list(self.mobile)
        wanted = [f"{other} around {ion}" for ion in self.mobile for other in around]
        wanted += [f"{part.ligand} around {part.centre}" for part in units.values()]
        return {name: pairs.shells[name] for name in dict.fromkeys(wanted) if name in pairs.shells}


def peak_interval(partial: PairDistribution, confidence: float = 0.95) -> Interval | None:
    """Return the position of the first peak of g(r) in Å, with the interval of a jackknife over ten blocks of time.

    Parameters
    ----------
    partial
        g(r) of one pair.
    confidence
        Of the interval.
    """
    whole = peak_position(partial.radii, partial.values)
    if whole is None:
        return None
    weights = (partial.radii + 0.5 * (partial.radii[1] - partial.radii[0])) ** 3
    shells = np.diff(weights, prepend=0.0)
    blocks = np.array_split(partial.group_counts, _N_BLOCKS) if len(partial.group_counts) >= _N_BLOCKS else []
    total = partial.group_counts.sum(axis=0)
    left_out = [peak_position(partial.radii, (total - block.sum(axis=0)) / shells) for block in blocks]
    places = np.array([place for place in left_out if place is not None])
    if len(places) < _N_BLOCKS:
        return Interval(whole, -np.inf, np.inf, confidence, "parabola through the top, too few frames for an interval")
    error = float(np.sqrt((_N_BLOCKS - 1) * places.var()))
    half = float(stdtrit(_N_BLOCKS - 1, 0.5 * (1.0 + confidence))) * error
    return Interval(whole, whole - half, whole + half, confidence, f"jackknife over {_N_BLOCKS} blocks of frames")


def _peaks(pairs: PairDistributionResult, main: Mapping[str, Shell], confidence: float) -> dict[str, Interval]:
    names = dict.fromkeys("-".join(sorted((shell.centre, shell.neighbour))) for shell in main.values())
    found = {name: peak_interval(pairs.partials[name], confidence) for name in names}
    return {name: interval for name, interval in found.items() if interval is not None}


def _framework(trajectory: "Trajectory", mobile: tuple[str, ...]) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Return mean positions, wrapped into the mean cell, of atoms that are not mobile."""
    atoms = np.flatnonzero(~np.isin(trajectory.species, mobile))
    step = -(-trajectory.n_frames // _MOST_FRAMES)
    sums, n = np.zeros((len(atoms), 3)), 0
    for fractions, _ in fractional_frames(trajectory, step, atoms):
        sums += fractions
        n += 1
    return (sums / n % 1.0) @ trajectory.mean_cell, trajectory.species[atoms]
