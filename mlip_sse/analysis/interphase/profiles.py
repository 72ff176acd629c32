"""Number densities along the normal, by class, in windows of time, seen from the middle of the intact electrolyte."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import InputError

__all__ = ["Profiles", "density_profiles"]


@dataclass(frozen=True, eq=False)
class Profiles:
    """Densities.

    Parameters
    ----------
    z : (n_bins,) Å from the middle of the electrolyte, for the mean height of the cell
    times_ps : (n_windows, 2) begin and end of each window
    densities : (n_windows, n_classes, n_bins) atoms by Å³, each look with its own cell
    """

    z: NDArray[np.float64]
    times_ps: NDArray[np.float64]
    densities: NDArray[np.float64]

    def by_element(self, elements: Sequence[str]) -> dict[str, NDArray[np.float64]]:
        """Return the densities of each element, (n_windows, n_bins), from the element of each class."""
        of = np.array(elements)
        return {str(symbol): self.densities[:, of == symbol].sum(axis=1) for symbol in dict.fromkeys(elements)}


def density_profiles(
    fractions: NDArray[np.floating],
    classes: NDArray[np.integer],
    n_classes: int,
    heights: NDArray[np.floating],
    areas: NDArray[np.floating],
    times_ps: NDArray[np.floating],
    bin_width: float,
    n_windows: int = 10,
) -> Profiles:
    """Count atoms of each class along the normal.

    Parameters
    ----------
    fractions : (n_looks, n_atoms) along c from the middle of the electrolyte, drift removed, wrapped or not
    classes : (n_looks, n_atoms)
    n_classes
        Number of classes.
    heights, areas : (n_looks,) Å and Å² of the cell of each look
    times_ps : (n_looks,)
    bin_width
        Å, about.
    n_windows
        At most; a window has at least one look.

    Raises
    ------
    InputError
        When the bins are not narrower than half the cell.
    """
    mean_height = float(np.mean(heights))
    n_bins = round(mean_height / bin_width) if bin_width > 0 else 0
    if n_bins < 3:
        raise InputError(
            f"found bins of {bin_width:g} Å in a cell {mean_height:.4g} Å high, expected at least three in it"
        )
    n_looks = len(times_ps)
    windows = np.array_split(np.arange(n_looks), min(n_windows, n_looks))
    densities = np.zeros((len(windows), n_classes, n_bins))
    for window, looks in enumerate(windows):
        for look in looks:
            wrapped = fractions[look] - np.floor(fractions[look] + 0.5)
            bins = np.minimum(((wrapped + 0.5) * n_bins).astype(np.int64), n_bins - 1)
            counts = np.bincount(classes[look] * n_bins + bins, minlength=n_classes * n_bins)
            volume = float(heights[look] * areas[look]) / n_bins
            densities[window] += counts.reshape(n_classes, n_bins) / (volume * len(looks))
    z = ((np.arange(n_bins) + 0.5) / n_bins - 0.5) * mean_height
    spans = np.array([[times_ps[looks[0]], times_ps[looks[-1]]] for looks in windows], dtype=np.float64)
    return Profiles(z, spans, densities)
