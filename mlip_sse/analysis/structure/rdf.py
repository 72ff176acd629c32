"""Partial radial distribution functions, frame by frame, in cells of any shape.

g_ab(r) = ⟨V n_ab(r)⟩ / (P_ab v(r)),   v(r) = 4π/3 (r₊³ − r₋³)

n_ab counts the pairs in the shell between r₋ and r₊, P_ab all pairs there are: N_a N_b for two species, N_a (N_a − 1)/2
for one. So an ideal gas of any size has g = 1. Volumes are those of each frame.

Up to half the smallest width of the cell a pair has one image within reach, so that its distance is counted once; a
larger r_max is refused.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.structure.cells import cell_widths, require_cell
from mlip_sse.analysis.structure.pair_counts import count_pairs
from mlip_sse.errors import InputError

__all__ = [
    "PairCounter",
    "RadialDistribution",
    "cell_widths",
    "first_peak_shell",
    "peak_position",
    "radial_distributions",
]

_PEAK_SHARE = 0.5
_TOP_SHARE = 0.75
_NOISE_SHELLS = 3


@dataclass(frozen=True, eq=False)
class RadialDistribution:
    """g(r) of one pair of species.

    Parameters
    ----------
    species
        Both, in alphabetical order.
    radii : (n_bins,) Å, middles of the shells
    values : (n_bins,)
    pairs_per_frame : (n_bins,) mean number of pairs in each shell
    """

    species: tuple[str, str]
    radii: NDArray[np.float64]
    values: NDArray[np.float64]
    pairs_per_frame: NDArray[np.float64]

    @property
    def name(self) -> str:
        """Both species, joined by a hyphen."""
        return "-".join(self.species)

    def coordination(self, radius: float) -> float:
        """Return how many pairs are closer than a radius in Å, by frame."""
        edges = self.radii + 0.5 * (self.radii[1] - self.radii[0])
        return float(self.pairs_per_frame[edges <= radius].sum())


class PairCounter:
    """Counts pairs by distance, one frame after the other.

    Parameters
    ----------
    species : (n_atoms,) chemical symbols
    r_max
        Largest distance in Å.
    n_bins
        Number of shells.

    Raises
    ------
    InputError
        When there is no atom or no shell.
    """

    def __init__(self, species: Sequence[str] | NDArray[np.str_], r_max: float, n_bins: int = 160) -> None:
        symbols = [str(symbol) for symbol in species]
        if not symbols or n_bins < 1 or not r_max > 0:
            raise InputError(
                f"found {len(symbols)} atoms, {n_bins} shells and r_max {r_max:g} Å, expected all of them positive"
            )
        self.names = tuple(sorted(set(symbols)))
        self.r_max, self.n_bins, self.n_frames = float(r_max), int(n_bins), 0
        self._kinds = np.array([self.names.index(symbol) for symbol in symbols], dtype=np.int64)
        self._volume_counts = np.zeros((len(self.names), len(self.names), n_bins))
        self._counts = np.zeros((len(self.names), len(self.names), n_bins))

    def add(self, positions: NDArray[np.floating], cell: NDArray[np.floating]) -> None:
        """Count the pairs of one frame.

        Parameters
        ----------
        positions : (n_atoms, 3) Å, wrapped or not
        cell : (3, 3) Å, rows are the cell vectors

        Raises
        ------
        InputError
            When the number of atoms differs, or r_max is more than half the smallest width of the cell.
        """
        box = require_cell(cell)
        if positions.shape != (len(self._kinds), 3):
            raise InputError(f"frame {self.n_frames} has positions {positions.shape}, expected ({len(self._kinds)}, 3)")
        width = float(cell_widths(box).min())
        if self.r_max > 0.5 * width * (1 + 1e-9):
            raise InputError(
                f"frame {self.n_frames}: found r_max {self.r_max:.4g} Å in a cell {width:.4g} Å wide, expected at most "
                f"half of it, {0.5 * width:.4g} Å: choose a smaller r_max or a larger cell"
            )
        counts = count_pairs(positions, box, self._kinds, len(self.names), self.r_max, self.n_bins)
        self._counts += counts
        self._volume_counts += abs(float(np.linalg.det(box))) * counts
        self.n_frames += 1

    def distributions(self) -> dict[str, RadialDistribution]:
        """Return g(r) of all pairs of species that have at least one pair of atoms, by names such as ``Li-S``.

        Raises
        ------
        InputError
            When no frame was counted.
        """
        if not self.n_frames:
            raise InputError("found no frame, expected at least one")
        edges = np.linspace(0.0, self.r_max, self.n_bins + 1)
        shells = 4.0 * np.pi / 3.0 * np.diff(edges**3)
        radii = 0.5 * (edges[1:] + edges[:-1])
        atoms = np.bincount(self._kinds)
        found: dict[str, RadialDistribution] = {}
        for a, b in combinations_with_replacement(range(len(self.names)), 2):
            n_pairs = atoms[a] * (atoms[a] - 1) / 2 if a == b else atoms[a] * atoms[b]
            if n_pairs == 0:
                continue
            values = self._volume_counts[a, b] / (self.n_frames * n_pairs * shells)
            each = RadialDistribution((self.names[a], self.names[b]), radii, values, self._counts[a, b] / self.n_frames)
            found[each.name] = each
        return found


def radial_distributions(
    species: Sequence[str] | NDArray[np.str_],
    frames: Iterable[tuple[NDArray[np.floating], NDArray[np.floating]]],
    r_max: float,
    n_bins: int = 160,
) -> Mapping[str, RadialDistribution]:
    """Return g(r) of all pairs of species over frames, of which one at a time is held.

    Parameters
    ----------
    species : (n_atoms,) chemical symbols
    frames
        Positions (n_atoms, 3) in Å and cell (3, 3) in Å of each.
    r_max
        Largest distance in Å, at most half the smallest width of every cell.
    n_bins
        Number of shells.
    """
    counter = PairCounter(species, r_max, n_bins)
    for positions, cell in frames:
        counter.add(positions, cell)
    return counter.distributions()


def peak_position(radii: NDArray[np.float64], values: NDArray[np.float64]) -> float | None:
    """Return where the first peak of g(r) lies, in Å, from a parabola through its top; None where there is none.

    The first peak is the highest point of the first stretch above half of the largest value. The parabola is a least
    squares fit to all points around it above three quarters of its height, so that neither shells thinner than the
    peak nor a broad top decide by noise.

    Parameters
    ----------
    radii : (n_bins,) Å, evenly spaced
    values : (n_bins,)
    """
    middle = first_peak_shell(values)
    if middle is None:
        return None
    first, last = _stretch(values >= _TOP_SHARE * values[middle], middle)
    near = slice(max(0, min(first, middle - 2)), max(last, middle + 2) + 1)
    distance = radii[near] - radii[middle]
    bend, slope, _ = np.polyfit(distance, values[near], 2)
    if bend >= 0.0 or not distance[0] <= -0.5 * slope / bend <= distance[-1]:
        return None
    return float(radii[middle] - 0.5 * slope / bend)


def first_peak_shell(values: NDArray[np.float64]) -> int | None:
    """Return the highest shell of the first stretch above half of the largest value; None where it is at an end."""
    top = float(values.max(initial=0.0))
    if top <= 0.0 or len(values) < 5:
        return None
    first, last = _stretch(values >= _PEAK_SHARE * top, int(np.argmax(values >= _PEAK_SHARE * top)))
    middle = first + int(np.argmax(values[first : last + 1]))
    return None if middle in (0, len(values) - 1) else middle


def _stretch(above: NDArray[np.bool_], inside: int) -> tuple[int, int]:
    """Return the first and last place of the stretch around a place; a gap of less than three shells is noise."""
    first = last = inside
    while (ahead := np.flatnonzero(above[last + 1 : last + 1 + _NOISE_SHELLS])).size:
        last += 1 + int(ahead[-1])
    while (behind := np.flatnonzero(above[max(0, first - _NOISE_SHELLS) : first])).size:
        first = max(0, first - _NOISE_SHELLS) + int(behind[0])
    return first, last
