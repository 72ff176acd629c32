"""Jumps of ions between sites: who left which site when, and where it arrived.

A list of `Jumps` is what a trajectory becomes once its ions are assigned to sites; rates, correlation factors, hop
networks and concerted events are all counted on it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import InputError

__all__ = ["Jumps"]


@dataclass(frozen=True, eq=False)
class Jumps:
    """Jumps in time order (ions in order within a frame).

    Parameters
    ----------
    frames : (n_jumps,)
        First frame in which the ion is on the site of arrival.
    ions : (n_jumps,)
        Which ion jumped, counted within the mobile ions (0 … n_ions - 1).
    sites_from, sites_to : (n_jumps,)
        Sites that were left and reached; equal where an ion reached a periodic image of its own site.
    images : (n_jumps, 3), optional
        Cell vectors by which the site of arrival is shifted: the jump's vector is
        (fractional[sites_to] + images - fractional[sites_from]) · cell. None where only the sites are known.
    left : (n_jumps,), optional
        Last frame on the site that was left, so that ``frames - left`` is the passage in frames.
    """

    frames: NDArray[np.int64]
    ions: NDArray[np.int64]
    sites_from: NDArray[np.int64]
    sites_to: NDArray[np.int64]
    images: NDArray[np.int64] | None = None
    left: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        n_jumps = len(self.frames)
        for name in ("frames", "ions", "sites_from", "sites_to", "left"):
            values = getattr(self, name)
            if values is not None and np.shape(values) != (n_jumps,):
                raise InputError(f"{name} has shape {np.shape(values)}, expected ({n_jumps},): one for each jump")
        if self.images is not None and np.shape(self.images) != (n_jumps, 3):
            raise InputError(f"images has shape {np.shape(self.images)}, expected ({n_jumps}, 3): one for each jump")
        if n_jumps and np.any(np.diff(self.frames) < 0):
            at = int(np.argmax(np.diff(self.frames) < 0)) + 1
            raise InputError(
                f"jump {at} is in frame {self.frames[at]}, the one before it in frame {self.frames[at - 1]}: "
                "sort the jumps by time"
            )

    def __len__(self) -> int:
        return len(self.frames)

    def chosen(self, keep: NDArray[np.bool_]) -> "Jumps":
        """Return the jumps for which ``keep``, (n_jumps,), is true."""
        return Jumps(
            self.frames[keep],
            self.ions[keep],
            self.sites_from[keep],
            self.sites_to[keep],
            None if self.images is None else self.images[keep],
            None if self.left is None else self.left[keep],
        )

    def vectors(self, fractional: NDArray[np.float64], cell: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the vectors of the jumps from site to site.

        Parameters
        ----------
        fractional : (n_sites, 3) fractions of the cell vectors
        cell : (3, 3) Å, rows are the cell vectors

        Returns
        -------
        (n_jumps, 3) Å

        Raises
        ------
        InputError
            When the jumps do not know the images of their sites.
        """
        if self.images is None:
            raise InputError("these jumps hold no image vectors, so their lengths are unknown: pass images=")
        vectors: NDArray[np.float64] = (
            fractional[self.sites_to] + self.images - fractional[self.sites_from]
        ) @ np.asarray(cell)
        return vectors
