"""From a spacing in reciprocal space to a mesh."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["k_mesh"]


def k_mesh(
    cell: NDArray[np.float64], spacing_inv_a: float, pbc: Sequence[bool] = (True, True, True)
) -> tuple[int, int, int]:
    """Return N_i = max(1, ⌈|b_i|/Δk⌉) with |b_i| = 2π/height_i, as VASP's KSPACING does; 1 where nothing repeats.

    Parameters
    ----------
    cell
        (3, 3) Å.
    spacing_inv_a
        Δk in 1/Å, 2π included.
    pbc
        Periodic directions.
    """
    lengths = 2 * np.pi * np.linalg.norm(np.linalg.pinv(cell).T, axis=1)
    counts = [
        max(1, math.ceil(length / spacing_inv_a - 1e-9)) if repeats else 1
        for length, repeats in zip(lengths.tolist(), pbc, strict=True)
    ]
    return counts[0], counts[1], counts[2]
