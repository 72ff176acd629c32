"""Cell vectors from lengths and angles, for formats and options that give them so."""

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlip_sse.errors import FormatError, InputError

__all__ = ["cell_from_option", "cells_from_lengths_angles", "possible_cells", "require_cells"]

_LARGEST_CELL = 1e6
"""In Å; beyond it a number is damage."""

_FLATTEST_CELL = 1e-6
"""Volume over the product of the three lengths, below which vectors count as coplanar."""


def cells_from_lengths_angles(lengths: NDArray[np.floating], angles: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return cell vectors, the first along x and the second in the xy plane.

    Parameters
    ----------
    lengths : (n, 3) Å, a b c
    angles : (n, 3) degrees, α β γ

    Returns
    -------
    (n, 3, 3) Å, rows are the cell vectors; NaN where the angles span no volume
    """
    a, b, c = np.asarray(lengths, dtype=np.float64).T
    degrees = np.asarray(angles, dtype=np.float64).T
    cells = np.zeros((len(a), 3, 3))
    with np.errstate(all="ignore"):  # what comes out not finite is refused by `require_cells`
        # cos 90° must be exactly zero, or an orthogonal cell comes out triclinic by one rounding error
        cos_a, cos_b, cos_g = np.where(degrees == 90.0, 0.0, np.cos(np.radians(degrees)))
        sin_g = np.where(degrees[2] == 90.0, 1.0, np.sin(np.radians(degrees[2])))
        x = cos_b
        y = (cos_a - cos_b * cos_g) / sin_g
        cells[:, 0, 0] = a
        cells[:, 1, 0], cells[:, 1, 1] = b * cos_g, b * sin_g
        cells[:, 2, 0], cells[:, 2, 1], cells[:, 2, 2] = c * x, c * y, c * np.sqrt(1.0 - x * x - y * y)
    return cells


def possible_cells(cells: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which cells, (n, 3, 3) Å, are finite, smaller than 0.1 mm and not flat to six digits."""
    small = np.asarray((np.abs(cells) < _LARGEST_CELL).all(axis=(1, 2)))  # which no NaN is
    usable = np.where(small[:, None, None], cells, 0.0)
    volumes, lengths = np.abs(np.linalg.det(usable)), np.linalg.norm(usable, axis=2)
    possible: NDArray[np.bool_] = small & (volumes > _FLATTEST_CELL * lengths.prod(axis=1)) & (volumes > 1e-6)
    return possible


def require_cells(cells: NDArray[np.float64], first_frame: int, path: Path) -> NDArray[np.float64]:
    """Return the cells, all of which are finite and span a volume.

    Raises
    ------
    FormatError
        Naming the first frame whose cell cannot be used.
    """
    good = possible_cells(cells)
    if not good.all():
        bad = int(np.argmin(good))
        numbers = ", ".join(f"{number:.6g}" for number in cells[bad].ravel())
        found = "no cell" if not np.any(cells[bad]) else f"an impossible cell ({numbers})"
        raise FormatError(f"{path}: frame {first_frame + bad} has {found}; a periodic cell in every frame is needed")
    return cells


def cell_from_option(cell: ArrayLike) -> NDArray[np.float64]:
    """Return the (3, 3) cell that a caller gave as three lengths, six parameters (a b c α β γ) or three vectors.

    Raises
    ------
    InputError
        When it is none of these, or spans no volume.
    """
    try:
        given = np.asarray(cell, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"cell={cell!r} is not made of numbers; give 3 lengths, a b c α β γ, or 3 vectors in Å"
        ) from error
    if given.shape == (3,):
        vectors = np.diag(given)
    elif given.shape == (6,):
        vectors = cells_from_lengths_angles(given[None, :3], given[None, 3:])[0]
    elif given.shape == (3, 3):
        vectors = given
    else:
        raise InputError(f"cell has shape {given.shape}; give 3 lengths, a b c α β γ, or 3 vectors in Å")
    if not np.isfinite(vectors).all() or abs(np.linalg.det(vectors)) < 1e-6:
        raise InputError(f"cell {given.tolist()} spans no volume; give 3 lengths, a b c α β γ, or 3 vectors in Å")
    return vectors
