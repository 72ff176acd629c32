"""Static structure factors: sums over the reciprocal vectors of the cell, averaged over directions and frames.

A_a(q) = Σ_{i in a} exp(-i q·r_i),   q = 2π (h, k, l) H⁻ᵀ,   S_ab(q) = ⟨Re A_a A_b*⟩/√(N_a N_b)   (Ashcroft-Langreth)
a_ab(q) = 1 + (S_ab(q) - δ_ab)/√(c_a c_b)                                                         (Faber-Ziman)
S(q) = Σ_ab c_a c_b w_a w_b a_ab(q)/(Σ_a c_a w_a)²

The weights w are 1, neutron scattering lengths, or X-ray form factors f(q). Whole numbers h, k, l are kept while the
cell varies, and each vector is filed under its length in the cell of the frame.

References
----------
T. E. Faber, J. M. Ziman, Philos. Mag. 11, 153 (1965), doi:10.1080/14786436508211931
N. W. Ashcroft, D. C. Langreth, Phys. Rev. 156, 685 (1967), doi:10.1103/PhysRev.156.685
D. A. Keen, J. Appl. Cryst. 34, 172 (2001), doi:10.1107/S0021889800019993 (the definitions compared)
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.results import Verdict
from mlip_sse.analysis.structure.frames import fractional_frames, map_in_threads
from mlip_sse.analysis.structure.reciprocal_sums import amplitudes, reciprocal_vectors
from mlip_sse.errors import InputError
from mlip_sse.trajectory.fractional_positions import consistent_cells

if TYPE_CHECKING:
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["StructureFactorResult", "StructureFactors", "scattering_weights"]

Radiation = Literal["none", "neutrons", "x-rays"]

_N_BLOCKS = 10
_MARGIN = 1.03
_CANCELLED = 1e-3


@dataclass(frozen=True, eq=False)
class StructureFactorResult:
    """Structure factors by length of the scattering vector; shells without a vector are left out.

    Parameters
    ----------
    q : (n_shells,) Å⁻¹, mean length of the vectors of each shell
    total : (n_shells,) all atoms alike
    total_errors : (n_shells,) standard error from ten blocks of frames, NaN with fewer than ten frames
    partials : by names such as ``Li-S``, (n_shells,) each, Faber-Ziman
    partial_errors : as the partials
    concentrations : share of each species among all atoms
    n_vectors : (n_shells,) vectors a frame, of which the opposite ones count as one
    n_frames
        Number of frames.
    verdict
        Weak with too few frames for errors.
    """

    q: NDArray[np.float64]
    total: NDArray[np.float64]
    total_errors: NDArray[np.float64]
    partials: Mapping[str, NDArray[np.float64]]
    partial_errors: Mapping[str, NDArray[np.float64]]
    concentrations: Mapping[str, float]
    n_vectors: NDArray[np.float64]
    n_frames: int
    verdict: Verdict = field(default_factory=Verdict)

    def weighted(self, radiation: Radiation) -> NDArray[np.float64]:
        """Return the total structure factor that a radiation sees (Faber-Ziman), (n_shells,); none: all atoms alike.

        Raises
        ------
        InputError
            When an element has no tabulated weight, or the weights cancel in the mean, as those of Li3S2 do.
        """
        if radiation == "none":
            return self.total
        weights = {symbol: scattering_weights(symbol, self.q, radiation) for symbol in self.concentrations}
        mean, power = np.zeros_like(self.q), np.zeros_like(self.q)
        for symbol, share in self.concentrations.items():
            mean += share * weights[symbol]
            power += share * weights[symbol] ** 2
        if (mean**2 < _CANCELLED * power).any():
            raise InputError(
                f"the weights of {', '.join(weights)} cancel: ⟨w⟩²/⟨w²⟩ is {float((mean**2 / power).min()):.1e}, "
                f"expected at least {_CANCELLED:g}; look at the partials instead"
            )
        sums = np.zeros_like(self.q)
        for name, values in self.partials.items():
            one, other = name.split("-")
            both = self.concentrations[one] * self.concentrations[other] * weights[one] * weights[other]
            sums += (1.0 if one == other else 2.0) * both * values
        weighted: NDArray[np.float64] = sums / mean**2
        return weighted


@dataclass(frozen=True)
class StructureFactors:
    """Settings of the structure factors.

    Parameters
    ----------
    q_max
        Largest length of the scattering vector in Å⁻¹.
    n_bins
        Number of shells up to it.
    most_vectors
        At most so many vectors of a shell are summed, drawn at random but the same in every frame; the shells of low q
        hold fewer and are summed whole. None for all.
    most_frames
        At most about so many frames are taken, evenly spaced.
    seed
        Of the drawing.
    """

    q_max: float = 8.0
    n_bins: int = 160
    most_vectors: int | None = 200
    most_frames: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.q_max < np.inf or self.n_bins < 1 or self.most_frames < 1:
            raise InputError(
                f"found q_max {self.q_max!r} Å⁻¹, n_bins {self.n_bins} and most_frames {self.most_frames}, expected "
                "all of them positive"
            )
        if self.most_vectors is not None and self.most_vectors < 1:
            raise InputError(f"found most_vectors {self.most_vectors}, expected at least 1, or None for all")

    def run(self, trajectory: "Trajectory") -> StructureFactorResult:
        """Sum over the atoms of a trajectory.

        Raises
        ------
        InputError
            When no reciprocal vector is shorter than q_max, or more than 5·10⁶ are.
        """
        names, kinds = np.unique(trajectory.species, return_inverse=True)
        order = np.argsort(kinds, kind="stable")
        bounds = np.concatenate([[0], np.cumsum(np.bincount(kinds))]).astype(np.int64)
        triples = self._triples(consistent_cells(trajectory.cells).mean(axis=0))
        step = -(-trajectory.n_frames // self.most_frames)
        n_frames = len(range(0, trajectory.n_frames, step))
        n_blocks = min(_N_BLOCKS, n_frames)
        pairs = list(combinations_with_replacement(range(len(names)), 2))
        atoms = np.diff(bounds)

        def shells(frame: tuple[NDArray[np.float64], NDArray[np.float64]]) -> NDArray[np.float64]:
            fractions, cell = frame
            waves = amplitudes(np.ascontiguousarray(fractions[order].T), bounds, triples)
            lengths = np.linalg.norm(triples @ (2.0 * np.pi * np.linalg.inv(cell).T), axis=1)
            return _by_shell(waves, lengths, pairs, atoms, self.q_max, self.n_bins)

        sums = np.zeros((n_blocks, len(pairs) + 3, self.n_bins))
        for at, found in enumerate(map_in_threads(shells, fractional_frames(trajectory, step))):
            sums[at * n_blocks // n_frames] += found
        shares = {str(name): float(n / atoms.sum()) for name, n in zip(names, atoms, strict=True)}
        return _result(sums, [(str(names[a]), str(names[b])) for a, b in pairs], shares, n_frames)

    def _triples(self, cell: NDArray[np.float64]) -> NDArray[np.int64]:
        triples = reciprocal_vectors(cell, _MARGIN * self.q_max)
        lengths = np.linalg.norm(triples @ (2.0 * np.pi * np.linalg.inv(cell).T), axis=1)
        if not (lengths < self.q_max).any():
            raise InputError(
                f"found no reciprocal vector shorter than q_max {self.q_max:g} Å⁻¹, the shortest of this cell is "
                f"{2.0 * np.pi / np.linalg.norm(cell, axis=1).max():.3g} Å⁻¹ or so: choose a larger q_max"
            )
        if self.most_vectors is None:
            return triples
        shell = (lengths * self.n_bins / self.q_max).astype(np.int64)
        shuffled = np.random.default_rng(self.seed).permutation(len(triples))
        by_shell = shuffled[np.argsort(shell[shuffled], kind="stable")]
        starts = np.concatenate([[0], np.cumsum(np.bincount(shell))])
        rank = np.arange(len(triples)) - starts[shell[by_shell]]
        chosen = np.sort(by_shell[rank < self.most_vectors])
        return np.ascontiguousarray(triples[chosen])


def scattering_weights(
    symbol: str, q: NDArray[np.float64], radiation: Literal["neutrons", "x-rays"]
) -> NDArray[np.float64]:
    """Return how strongly an element scatters: bound coherent length in fm, or form factor in electrons, (n_q,).

    The tables are those of pymatgen (neutron lengths of the natural element; four Gaussians for X-rays).

    Raises
    ------
    InputError
        When the element is not in the table.
    """
    from ase.data import atomic_numbers
    from pymatgen.analysis.diffraction.neutron import ATOMIC_SCATTERING_LEN
    from pymatgen.analysis.diffraction.xrd import ATOMIC_SCATTERING_PARAMS

    table = ATOMIC_SCATTERING_LEN if radiation == "neutrons" else ATOMIC_SCATTERING_PARAMS
    if symbol not in table:
        raise InputError(f"{symbol!r} has no tabulated scattering of {radiation}, expected one of {', '.join(table)}")
    if radiation == "neutrons":
        return np.full_like(q, float(table[symbol]))
    squared = (q / (4.0 * np.pi)) ** 2
    gaussians = sum(a * np.exp(-b * squared) for a, b in table[symbol])
    return np.asarray(atomic_numbers[symbol] - 41.78214 * squared * gaussians, dtype=np.float64)


def _by_shell(
    waves: NDArray[np.complex128],
    lengths: NDArray[np.float64],
    pairs: list[tuple[int, int]],
    atoms: NDArray[np.int64],
    q_max: float,
    n_bins: int,
) -> NDArray[np.float64]:
    # rows: one Ashcroft-Langreth sum for each pair, then all atoms, lengths and numbers of vectors
    inside = lengths < q_max
    shell = (lengths[inside] * n_bins / q_max).astype(np.int64)
    seen = waves[:, inside]
    rows = [(seen[a] * seen[b].conj()).real / np.sqrt(float(atoms[a] * atoms[b])) for a, b in pairs]
    rows += [np.abs(seen.sum(axis=0)) ** 2 / float(atoms.sum()), lengths[inside], np.ones(len(shell))]
    return np.array([np.bincount(shell, weights=row, minlength=n_bins)[:n_bins] for row in rows])


def _result(
    sums: NDArray[np.float64], names: list[tuple[str, str]], shares: dict[str, float], n_frames: int
) -> StructureFactorResult:
    together = sums.sum(axis=0)
    filled = together[-1] > 0
    means = together[:-1, filled] / together[-1, filled]
    errors = np.full_like(means, np.nan)
    verdict = Verdict()
    if n_frames >= _N_BLOCKS:
        numbers = sums[:, -1, filled]
        blocks = sums[:, :-1, filled] / np.where(numbers > 0, numbers, np.nan)[:, None]
        errors = blocks.std(axis=0, ddof=1) / np.sqrt(len(blocks))
    else:
        verdict = verdict.weaken(f"{n_frames} frames are too few for errors, which take {_N_BLOCKS}")
    partials, partial_errors = {}, {}
    for row, (a, b) in enumerate(names):
        scale = np.sqrt(shares[a] * shares[b])
        partials[f"{a}-{b}"] = 1.0 + (means[row] - (a == b)) / scale
        partial_errors[f"{a}-{b}"] = errors[row] / scale
    return StructureFactorResult(
        q=means[-1],
        total=means[-2],
        total_errors=errors[-2],
        partials=partials,
        partial_errors=partial_errors,
        concentrations=shares,
        n_vectors=together[-1, filled] / n_frames,
        n_frames=n_frames,
        verdict=verdict,
    )
