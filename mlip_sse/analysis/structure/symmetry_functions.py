"""Radial and angular functions of an atom's surroundings, one set for each species, or pair of species, around it.

Two families, told apart by ``smooth``, from one pair of kernels:

- Behler and Parrinello's symmetry functions, with f(r) = ½ (cos πr/r_c + 1), η = 1/(2 L²) for G² and η = 1/ξ² for G⁴:

  G²_a(i) = Σ_{j∈a} exp(−(r_ij − μ)²/(2 L²)) f(r_ij)

  G⁴_ab(i) = 2^{1−ζ} Σ_{{j∈a, k∈b}} (1 + λ cos θ_jik)^ζ exp(−(r_ij² + r_ik² + r_jk²)/ξ²) f(r_ij) f(r_ik) f(r_jk)

- the structure functions of softness, which end abruptly at the cutoff of r_ij and r_ik, without the power of two:

  G_a(i; μ) = Σ_{j∈a} exp(−(r_ij − μ)²/(2 L²))

  Ψ_ab(i; ξ, λ, ζ) = Σ_{{j∈a, k∈b}} exp(−(r_ij² + r_ik² + r_jk²)/ξ²) (1 + λ cos θ_jik)^ζ

A pair {j, k} is counted once. Images of an atom are neighbours like any others.

References
----------
Behler, Parrinello, 10.1103/PhysRevLett.98.146401; Behler, 10.1063/1.3553717; Cubuk et al.,
10.1103/PhysRevLett.114.108001.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlip_sse.analysis.structure.neighbours import Neighbours, neighbour_list
from mlip_sse.analysis.structure.symmetry_sums import sum_angular, sum_radial
from mlip_sse.errors import InputError

__all__ = ["AngularTerms", "angular_functions", "angular_names", "radial_functions", "radial_names"]


@dataclass(frozen=True, eq=False)
class AngularTerms:
    """The parameters of angular functions, one of each for every function.

    Parameters
    ----------
    ranges : (n_terms,) ξ in Å
    signs : (n_terms,) λ, −1 to 1
    sharpness : (n_terms,) ζ, positive
    """

    ranges: NDArray[np.float64]
    signs: NDArray[np.float64]
    sharpness: NDArray[np.float64]

    def __post_init__(self) -> None:
        for name in ("ranges", "signs", "sharpness"):
            object.__setattr__(self, name, np.atleast_1d(np.asarray(getattr(self, name), dtype=np.float64)))
        shapes = {self.ranges.shape, self.signs.shape, self.sharpness.shape}
        if len(shapes) != 1 or self.ranges.ndim != 1:
            raise InputError(f"found angular terms of shapes {shapes}, expected one ξ, λ and ζ for each function")
        usable = (self.ranges > 0) & (np.abs(self.signs) <= 1) & (self.sharpness > 0)
        if not usable.all():
            k = int(np.flatnonzero(~usable)[0])
            found = f"ξ {self.ranges[k]:g} Å, λ {self.signs[k]:g}, ζ {self.sharpness[k]:g}"
            raise InputError(f"found {found}, expected ξ > 0, λ from −1 to 1 and ζ > 0")

    @classmethod
    def of_all(cls, ranges: Sequence[float], signs: Sequence[float], sharpness: Sequence[float]) -> "AngularTerms":
        """Return every combination of the values, the last one running fastest."""
        grid = np.meshgrid(ranges, signs, sharpness, indexing="ij")
        return cls(*(axis.ravel() for axis in grid))

    def __len__(self) -> int:
        return len(self.ranges)


def radial_functions(
    positions: NDArray[np.floating],
    cell: NDArray[np.floating],
    kinds: NDArray[np.integer],
    centres: ArrayLike,
    mu: NDArray[np.floating] | Sequence[float],
    width: float | NDArray[np.floating],
    cutoff: float,
    *,
    smooth: bool = False,
    n_kinds: int | None = None,
    neighbours: Neighbours | None = None,
) -> NDArray[np.float64]:
    """Return the radial functions of some atoms.

    Parameters
    ----------
    positions : (n_atoms, 3) Å, wrapped or not
    cell : (3, 3) Å, rows are the cell vectors
    kinds : (n_atoms,) number of each atom's species, from 0
    centres : (n_centres,) indices of the atoms to describe
    mu : (n_mu,) Å, middles of the Gaussians
    width
        L in Å, for all or (n_mu,) one for each.
    cutoff
        Å.
    smooth
        Whether each neighbour is weighted with the cosine cutoff (G²) or fully (softness).
    n_kinds
        Number of species, by default as many as there are in `kinds`.
    neighbours
        Those of the centres within the cutoff, where the caller has them.

    Returns
    -------
    (n_centres, n_kinds * n_mu), the species' number running slowest

    Raises
    ------
    InputError
        When a width or the cutoff is not positive, or `kinds` does not fit.
    """
    mu = np.atleast_1d(np.asarray(mu, dtype=np.float64))
    widths = np.array(np.broadcast_to(np.asarray(width, dtype=np.float64), mu.shape))
    if not (widths > 0).all() or not cutoff > 0:
        raise InputError(f"found a width of {widths.min():g} Å and a cutoff of {cutoff:g} Å, expected both positive")
    labels, n_kinds = _checked_kinds(kinds, len(positions), n_kinds)
    if neighbours is None:
        neighbours = neighbour_list(positions, cell, cutoff, centres)
    out = np.zeros((len(neighbours.offsets) - 1, n_kinds, len(mu)))
    steepness = 1.0 / (np.sqrt(2.0) * widths)
    sum_radial(
        neighbours.offsets, neighbours.indices, neighbours.distances, labels, mu, steepness, float(cutoff), smooth, out
    )
    return out.reshape(len(out), -1)


def angular_functions(
    positions: NDArray[np.floating],
    cell: NDArray[np.floating],
    kinds: NDArray[np.integer],
    centres: ArrayLike,
    terms: AngularTerms,
    cutoff: float,
    *,
    smooth: bool = False,
    n_kinds: int | None = None,
    neighbours: Neighbours | None = None,
) -> NDArray[np.float64]:
    """Return the angular functions of some atoms; see `radial_functions` for what is not named here.

    Parameters
    ----------
    terms
        ξ, λ and ζ of each function.
    smooth
        G⁴ with its cosine cutoffs and 2^{1−ζ}, or Ψ of softness.

    Returns
    -------
    (n_centres, n_kinds (n_kinds + 1)/2 * n_terms), pairs of species (0, 0), (0, 1), …, (1, 1), … running slowest
    """
    if not cutoff > 0:
        raise InputError(f"found a cutoff of {cutoff:g} Å, expected a positive one")
    labels, n_kinds = _checked_kinds(kinds, len(positions), n_kinds)
    if neighbours is None:
        neighbours = neighbour_list(positions, cell, cutoff, centres)
    decays, which = np.unique(terms.ranges**-2, return_inverse=True)
    order = np.argsort(which, kind="stable")
    starts = np.searchsorted(which[order], np.arange(len(decays) + 1))
    out = np.zeros((len(neighbours.offsets) - 1, n_kinds * (n_kinds + 1) // 2, len(terms)))
    sum_angular(
        neighbours.offsets,
        neighbours.indices,
        neighbours.vectors,
        labels,
        decays,
        starts,
        order,
        terms.signs,
        terms.sharpness,
        float(cutoff),
        smooth,
        out,
    )
    return (out * 2.0 ** (1.0 - terms.sharpness) if smooth else out).reshape(len(out), -1)


def radial_names(species: Sequence[str], mu: Sequence[float] | NDArray[np.floating]) -> list[str]:
    """Return the names of the columns of `radial_functions`, such as ``S 2.4``."""
    return [f"{symbol} {distance:g}" for symbol in species for distance in np.atleast_1d(mu)]


def angular_names(species: Sequence[str], terms: AngularTerms) -> list[str]:
    """Return the names of the columns of `angular_functions`, such as ``S-S ξ3 λ+1 ζ2``."""
    parameters = [
        f"ξ{reach:g} λ{sign:+g} ζ{power:g}"
        for reach, sign, power in zip(terms.ranges, terms.signs, terms.sharpness, strict=True)
    ]
    return [f"{a}-{b} {text}" for a, b in combinations_with_replacement(species, 2) for text in parameters]


def _checked_kinds(kinds: NDArray[np.integer], n_atoms: int, n_kinds: int | None) -> tuple[NDArray[np.int64], int]:
    labels = np.ascontiguousarray(kinds, dtype=np.int64)
    if labels.shape != (n_atoms,):
        raise InputError(f"kinds has shape {labels.shape}, expected ({n_atoms},): the number of each atom's species")
    low, high = (int(labels.min()), int(labels.max())) if n_atoms else (0, -1)
    count = high + 1 if n_kinds is None else int(n_kinds)
    if low < 0 or high >= count:
        raise InputError(f"kinds run from {low} to {high}, expected 0 to {count - 1}")
    return labels, count
