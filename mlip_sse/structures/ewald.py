"""The electrostatic energy of point charges in a periodic cell, as a matrix over sites.

With the matrix at hand, the energy of any distribution of charges over fixed sites is one quadratic form, and moving a
charge costs one row of it.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfc

from mlip_sse.errors import InputError

__all__ = ["COULOMB_EV_A", "ewald_matrix"]

COULOMB_EV_A = 14.399645478
"""e²/(4πε₀) in eV Å (CODATA 2018)."""

_CHUNK = 2_000_000


def ewald_matrix(
    cell: NDArray[np.float64], scaled_positions: NDArray[np.float64], accuracy: float = 1e-9
) -> NDArray[np.float64]:
    """Return the interaction of unit charges on every pair of sites.

    E = ½ Σ_ij q_i q_j M_ij, the charges in a uniform background that makes the cell neutral,
    M_ij = k [Σ_n erfc(√η |r_ij+n|)/|r_ij+n| + (4π/V) Σ_{G≠0} exp(-G²/4η)/G² cos(G·r_ij) - π/(ηV) - 2√(η/π) δ_ij],
    where k = e²/(4πε₀) and n = 0 is left out for i = j. Conducting boundary.

    Parameters
    ----------
    cell : (3, 3) Å
        Lattice vectors as rows.
    scaled_positions : (n_sites, 3)
        Fractional positions. Sites may be as close as disorder puts them, but not on top of each other.
    accuracy
        Relative size of the first terms left out of either sum.

    Returns
    -------
    (n_sites, n_sites) eV/e²
        The symmetric matrix M.

    Raises
    ------
    InputError
        When two sites coincide or the cell has no volume.

    References
    ----------
    P. P. Ewald, Ann. Phys. 369, 253 (1921), doi:10.1002/andp.19213690304.
    """
    cell = np.asarray(cell, dtype=np.float64)
    scaled = np.asarray(scaled_positions, dtype=np.float64)
    volume = abs(float(np.linalg.det(cell)))
    if volume < 1e-6:
        raise InputError(
            f"ewald: the cell has a volume of {volume:.3g} Å³, expected a cell periodic in three directions"
        )
    n_sites = len(scaled)
    eta = math.pi * (n_sites / volume**2) ** (1 / 3)
    reach = math.sqrt(-math.log(accuracy))
    images = _images(cell, reach / math.sqrt(eta))
    waves = _waves(cell, 2 * math.sqrt(eta) * reach)
    weights = np.exp(-np.sum(waves**2, axis=1) / (4 * eta)) / np.sum(waves**2, axis=1)
    phases = (scaled @ cell) @ waves.T
    matrix = (np.cos(phases) * weights) @ np.cos(phases).T + (np.sin(phases) * weights) @ np.sin(phases).T
    matrix *= 4 * math.pi / volume
    for i in range(n_sites):
        matrix[i] += _real_space_row(scaled, i, cell, images, math.sqrt(eta))
    matrix -= math.pi / (eta * volume)
    matrix[np.diag_indices(n_sites)] -= 2 * math.sqrt(eta / math.pi)
    return np.asarray(COULOMB_EV_A * 0.5 * (matrix + matrix.T))


def _images(cell: NDArray[np.float64], cutoff: float) -> NDArray[np.float64]:
    """Return all lattice translations (k, 3) in Å that can bring a wrapped difference within the cutoff, zero first."""
    widths = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    reach = np.ceil(cutoff / widths + 0.5).astype(int)
    grid = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), axis=-1).reshape(-1, 3)
    order = np.argsort(np.abs(grid).sum(axis=1), kind="stable")
    return np.asarray(grid[order] @ cell)


def _waves(cell: NDArray[np.float64], cutoff: float) -> NDArray[np.float64]:
    """Return all reciprocal vectors (k, 3) in 1/Å within the cutoff, without zero."""
    reciprocal = 2 * math.pi * np.linalg.inv(cell).T
    reach = np.floor(cutoff * np.linalg.norm(cell, axis=1) / (2 * math.pi)).astype(int) + 1
    grid = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), axis=-1).reshape(-1, 3)
    waves = grid @ reciprocal
    lengths = np.linalg.norm(waves, axis=1)
    return np.asarray(waves[(lengths <= cutoff) & (lengths > 1e-12)])


def _real_space_row(
    scaled: NDArray[np.float64], i: int, cell: NDArray[np.float64], images: NDArray[np.float64], root_eta: float
) -> NDArray[np.float64]:
    difference = scaled - scaled[i]
    difference -= np.rint(difference)
    vectors = difference @ cell
    row = np.zeros(len(scaled))
    per_chunk = max(1, _CHUNK // max(1, len(images)))
    for start in range(0, len(scaled), per_chunk):
        part = slice(start, start + per_chunk)
        distances = np.linalg.norm(vectors[part, None, :] + images[None, :, :], axis=2)
        if start <= i < start + per_chunk:
            distances[i - start, 0] = np.inf  # the charge itself; its images stay
        nearest = float(distances.min())
        if nearest < 1e-3:
            j = start + int(np.unravel_index(np.argmin(distances), distances.shape)[0])
            raise InputError(f"ewald: sites {i} and {j} are {nearest:.1e} Å apart, expected separate positions")
        row[part] = np.sum(erfc(root_eta * distances) / distances, axis=1)
    return row
