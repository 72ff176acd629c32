"""Partial g(r) of a trajectory, with the first shell of each pair of species and its coordination number.

n_ab(r) = ⟨pairs a–b closer than r⟩ · (1 + δ_ab) / N_a,   the b within r of one a

The first shell reaches to the first minimum behind the first peak. The interval of a coordination number is that of a
mean over correlated frames, for a minimum held fixed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.results import Interval, Verdict
from mlip_sse.analysis.structure.cells import cell_widths
from mlip_sse.analysis.structure.frames import structure_frames
from mlip_sse.analysis.structure.pair_counts import count_pairs_of_frames
from mlip_sse.analysis.structure.rdf import first_peak_shell, peak_position
from mlip_sse.analysis.structure.time_averages import mean_over_time
from mlip_sse.errors import InputError
from mlip_sse.trajectory.fractional_positions import consistent_cells

if TYPE_CHECKING:
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["PairDistribution", "PairDistributionResult", "PairDistributions", "Shell", "first_minimum"]

_LARGEST_R_A = 10.0
_MOST_GROUPS = 400
_RISE = 0.05
_NOISE = 4.0


@dataclass(frozen=True)
class Shell:
    """The first coordination shell of one species around another.

    Parameters
    ----------
    centre, neighbour
        Species; the number is that of neighbours around one centre.
    peak_a
        Where the first peak of g(r) lies in Å, None where there is none.
    height
        g(r) at its highest point in the shell.
    minimum_a
        Where the shell ends in Å, None where g(r) has no minimum behind its peak before r_max.
    coordination
        Number of neighbours up to the minimum, None without one.
    verdict
        Weak where there is no peak or no minimum, or too few frames for an interval.
    """

    centre: str
    neighbour: str
    peak_a: float | None
    height: float | None
    minimum_a: float | None
    coordination: Interval | None
    verdict: Verdict


@dataclass(frozen=True, eq=False)
class PairDistribution:
    """g(r) of one pair of species.

    Parameters
    ----------
    species
        Both, in alphabetical order.
    radii : (n_bins,) Å, middles of the shells
    values : (n_bins,) g(r)
    errors : (n_bins,) standard error of g(r) from blocks of frames; NaN with fewer than ten frames
    n_atoms
        Number of atoms of each of the two.
    group_counts : (n_groups, n_bins) mean number of pairs in each shell, by group of consecutive frames
    """

    species: tuple[str, str]
    radii: NDArray[np.float64]
    values: NDArray[np.float64]
    errors: NDArray[np.float64]
    n_atoms: tuple[int, int]
    group_counts: NDArray[np.float64]

    @property
    def name(self) -> str:
        """Both species, joined by a hyphen."""
        return "-".join(self.species)

    @property
    def edges(self) -> NDArray[np.float64]:
        """Outer radius of each shell in Å, (n_bins,)."""
        outer: NDArray[np.float64] = self.radii + 0.5 * (self.radii[1] - self.radii[0])
        return outer

    def running_coordination(self, centre: str) -> NDArray[np.float64]:
        """Return how many of the other species lie within each of `edges` of one ``centre``, (n_bins,)."""
        running: NDArray[np.float64] = np.cumsum(self.group_counts.mean(axis=0)) * self._neighbours_a_pair(centre)
        return running

    def coordination(self, centre: str, radius: float, confidence: float = 0.95) -> tuple[Interval, Verdict]:
        """Return how many of the other species lie within a radius in Å of one ``centre``; a part of a shell counts."""
        if not 0 < radius <= self.edges[-1] * (1 + 1e-12):
            raise InputError(f"found a radius of {radius!r} Å, expected one up to r_max {self.edges[-1]:g} Å")
        width = self.edges[1] - self.edges[0]
        inner = self.edges - width
        share = np.clip((radius**3 - inner**3) / (self.edges**3 - inner**3), 0.0, 1.0)
        series = self.group_counts @ share * self._neighbours_a_pair(centre)
        mean = mean_over_time(series, confidence, lowest=0.0)
        return mean.interval, mean.verdict

    def shell(self, centre: str, confidence: float = 0.95) -> Shell:
        """Return the first shell around one ``centre``."""
        neighbour = self.species[1] if centre == self.species[0] else self.species[0]
        self._neighbours_a_pair(centre)
        top, peak = first_peak_shell(self.values), peak_position(self.radii, self.values)
        if peak is None and top is not None:  # several tops, through which no parabola goes
            peak = float(self.radii[top])
        if peak is None:
            nothing = f"g(r) of {self.name} has no peak before r_max {self.edges[-1]:.3g} Å"
            return Shell(centre, neighbour, None, None, None, None, Verdict().weaken(nothing))
        height = float(self.values[np.abs(self.radii - peak) <= 2 * (self.radii[1] - self.radii[0])].max())
        totals = self.group_counts.sum(axis=0)
        minimum = first_minimum(self.radii, self.values, peak, totals)
        if minimum is None:
            open_ended = f"g(r) of {self.name} does not rise again before r_max {self.edges[-1]:.3g} Å: no shell ends"
            return Shell(centre, neighbour, peak, height, None, None, Verdict().weaken(open_ended))
        number, verdict = self.coordination(centre, minimum, confidence)
        return Shell(centre, neighbour, peak, height, minimum, number, verdict)

    def _neighbours_a_pair(self, centre: str) -> float:
        if centre not in self.species:
            raise InputError(f"found the centre {centre!r}, expected one of {self.name}")
        if self.species[0] == self.species[1]:
            return 2.0 / self.n_atoms[0]
        return 1.0 / self.n_atoms[self.species.index(centre)]


@dataclass(frozen=True, eq=False)
class PairDistributionResult:
    """g(r) of all pairs of species.

    Parameters
    ----------
    partials
        By names such as ``Li-S``, in alphabetical order of the species.
    shells
        First shell of each ordered pair, by names such as ``S around Li``.
    n_frames
        Number of frames that were counted.
    frame_step
        Every how many frames one was counted.
    verdict
        What is wrong with a shell is said of the shell; here, what is wrong with all.
    """

    partials: Mapping[str, PairDistribution]
    shells: Mapping[str, Shell]
    n_frames: int
    frame_step: int
    verdict: Verdict = field(default_factory=Verdict)

    def partial(self, one: str, other: str) -> PairDistribution:
        """Return g(r) of two species in any order."""
        name = "-".join(sorted((one, other)))
        if name not in self.partials:
            raise InputError(f"there is no pair {name}; there are {', '.join(self.partials)}")
        return self.partials[name]

    def coordination(self, centre: str, neighbour: str, radius: float | None = None) -> Interval | None:
        """Return the number of neighbours around one centre, within a radius in Å or the first minimum."""
        partial = self.partial(centre, neighbour)
        return partial.shell(centre).coordination if radius is None else partial.coordination(centre, radius)[0]


@dataclass(frozen=True)
class PairDistributions:
    """Settings of the partial radial distribution functions.

    Parameters
    ----------
    r_max
        Largest distance in Å; 10 Å by default, or half the smallest height of the cell where that is less.
    n_bins
        Number of shells.
    most_frames
        At most about so many frames are counted, evenly spaced.
    confidence
        Of the intervals.
    """

    r_max: float | None = None
    n_bins: int = 200
    most_frames: int = 1000
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if self.r_max is not None and not 0 < self.r_max < np.inf:
            raise InputError(f"r_max must be positive, found {self.r_max!r} Å")
        if self.n_bins < 5 or self.most_frames < 1:
            raise InputError(
                f"found n_bins {self.n_bins} and most_frames {self.most_frames}, expected at least 5 and 1"
            )

    def run(self, trajectory: "Trajectory") -> PairDistributionResult:
        """Count the pairs of a trajectory.

        Raises
        ------
        InputError
            When r_max is more than half the smallest height of the cell in some frame.
        """
        r_max = self._largest_distance(trajectory)
        step = -(-trajectory.n_frames // self.most_frames)
        names, kinds = np.unique(trajectory.species, return_inverse=True)
        volumes = np.abs(np.linalg.det(trajectory.cells))[::step]
        group = np.arange(len(volumes)) * min(_MOST_GROUPS, len(volumes)) // len(volumes)
        shape = (group[-1] + 1, len(names), len(names), self.n_bins)
        sums, weighted = np.zeros(shape), np.zeros(shape)
        counted = count_pairs_of_frames(
            structure_frames(trajectory, step), kinds.astype(np.int64), len(names), r_max, self.n_bins
        )
        for counts, at, volume in zip(counted, group, volumes, strict=True):
            sums[at] += counts
            weighted[at] += volume * counts
        members = np.bincount(group)[:, None]
        edges = np.linspace(0.0, r_max, self.n_bins + 1)
        atoms = np.bincount(kinds)
        partials: dict[str, PairDistribution] = {}
        for a, b in combinations_with_replacement(range(len(names)), 2):
            n_pairs = atoms[a] * (atoms[a] - 1) / 2 if a == b else atoms[a] * atoms[b]
            if n_pairs == 0:
                continue
            series = weighted[:, a, b] / members / (n_pairs * 4.0 * np.pi / 3.0 * np.diff(edges**3))
            each = PairDistribution(
                species=(str(names[a]), str(names[b])),
                radii=0.5 * (edges[1:] + edges[:-1]),
                values=np.average(series, axis=0, weights=members[:, 0]),
                errors=_standard_errors(series),
                n_atoms=(int(atoms[a]), int(atoms[b])),
                group_counts=sums[:, a, b] / members,
            )
            partials[each.name] = each
        shells = {}
        for each in partials.values():
            for centre in dict.fromkeys(each.species):
                shell = each.shell(centre, self.confidence)
                shells[f"{shell.neighbour} around {centre}"] = shell
        verdict = Verdict()
        if len(volumes) < 10:
            verdict = verdict.weaken(f"{len(volumes)} frames are too few for intervals, which take 10")
        return PairDistributionResult(partials, shells, len(volumes), step, verdict)

    def _largest_distance(self, trajectory: "Trajectory") -> float:
        heights = cell_widths(consistent_cells(trajectory.cells)).min(axis=-1)
        frame = int(heights.argmin())
        most = 0.5 * float(heights[frame])
        if self.r_max is None:
            return min(_LARGEST_R_A, most)
        if self.r_max > most * (1 + 1e-9):
            raise InputError(
                f"found r_max {self.r_max:.4g} Å, expected at most half the smallest height of the cell, {most:.4g} Å "
                f"in frame {frame}: choose a smaller r_max or a larger cell"
            )
        return self.r_max


def first_minimum(
    radii: NDArray[np.float64], values: NDArray[np.float64], peak: float, counts: NDArray[np.float64]
) -> float | None:
    """Return where g(r) is lowest between its first peak and the next rise, in Å; None where it does not rise again.

    A rise must exceed both a twentieth and four standard deviations of the counting noise of g(r). Where several
    shells are equally low within their noise (an empty gap), it is the middle of them.

    Parameters
    ----------
    radii : (n_bins,) Å
    values : (n_bins,)
    peak
        In Å.
    counts : (n_bins,) pairs counted in each shell, for the noise
    """
    noise = values / np.sqrt(np.maximum(counts, 1.0))
    lowest = start = int(np.searchsorted(radii, peak))
    for at in range(start, len(radii)):
        if values[at] < values[lowest]:
            lowest = at
        elif values[at] > values[lowest] + _RISE + _NOISE * float(np.hypot(noise[at], noise[lowest])):
            break
    else:
        return None
    if lowest == start:
        return None
    tie = values[lowest] + float(noise[lowest])
    first = last = lowest
    while first > start and values[first - 1] <= tie:
        first -= 1
    while last + 1 < at and values[last + 1] <= tie:
        last += 1
    return float(0.5 * (radii[first] + radii[last]))


def _standard_errors(series: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard error of the mean of each column from ten blocks of rows, NaN with fewer rows."""
    n_blocks = 10
    if len(series) < n_blocks:
        return np.full(series.shape[1], np.nan)
    blocks = np.array([part.mean(axis=0) for part in np.array_split(series, n_blocks)])
    errors: NDArray[np.float64] = blocks.std(axis=0, ddof=1) / np.sqrt(n_blocks)
    return errors
