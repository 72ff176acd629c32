"""Sites of a trajectory without a list: from the peaks of its density, or from where the ions are in one frame."""

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.mechanism.site_mapping import map_sites
from mlip_sse.analysis.mechanism.sites import Sites, SiteTemplate
from mlip_sse.errors import InputError
from mlip_sse.trajectory.fractional_positions import consistent_cells, fractional_chunks, fractional_means
from mlip_sse.trajectory.model import Trajectory

__all__ = ["sites_from_density", "sites_from_frame", "sites_from_template"]


def sites_from_template(
    template: SiteTemplate, trajectory: Trajectory, mobile: NDArray[np.intp], tolerance: float = 0.05
) -> Sites:
    """Lay a unit cell over a trajectory by its framework, see `mlip_sse.analysis.mechanism.site_mapping`.

    Parameters
    ----------
    template
        Of a CIF or of Wyckoff positions.
    trajectory
        Seen from its framework.
    mobile : (n_ions,)
        Atoms that are not framework.
    tolerance
        Largest strain between the cells.
    """
    cells = consistent_cells(trajectory.cells)
    rest = np.setdiff1d(np.arange(trajectory.n_atoms), mobile)
    if len(template.framework) and not len(rest):
        raise InputError(f"{template.name} names a framework, but every atom of the trajectory is mobile")
    places = fractional_means(trajectory, rest, cells) if len(rest) else np.empty((0, 3))
    return map_sites(template, cells.mean(axis=0), places, trajectory.species[rest], tolerance)


def sites_from_density(
    trajectory: Trajectory,
    indices: NDArray[np.intp],
    separation: float = 1.5,
    smoothing: float = 0.35,
    resolution: float = 0.3,
    least_occupancy: float = 0.05,
) -> Sites:
    """Take the peaks of the ions' density as sites, all of one class.

    Parameters
    ----------
    trajectory
        Seen from its framework.
    indices : (n_ions,)
        The mobile ions.
    separation
        Peaks closer than this are one, Å.
    smoothing, resolution
        Standard deviation of the Gaussian and grid spacing, Å.
    least_occupancy
        Peaks with fewer ions on average are left out.
    """
    from mlip_sse.analysis.structure.density import ion_density
    from mlip_sse.analysis.structure.density_peaks import density_peaks

    density = ion_density(trajectory, indices, resolution, smoothing)
    peaks = density_peaks(density, least_separation_a=separation, least_occupancy=least_occupancy)
    label = "/".join(dict.fromkeys(str(symbol) for symbol in trajectory.species[indices]))
    origin = (
        f"peaks of the density smoothed by {smoothing:g} Å, {separation:g} Å apart, with at least "
        f"{least_occupancy:g} ions"
    )
    cell = consistent_cells(trajectory.cells).mean(axis=0)
    return Sites(peaks.fractions, np.full(len(peaks.fractions), label), cell, origin)


def sites_from_frame(trajectory: Trajectory, indices: NDArray[np.intp], frame: int = 0) -> Sites:
    """Take the places of the ions in one frame as sites, one class for each species.

    Parameters
    ----------
    trajectory
        Perhaps another one, of the same cell: a quenched structure, a crystal.
    indices : (n_ions,)
    frame
        Counted from 0; negative from the end.
    """
    if not -trajectory.n_frames <= frame < trajectory.n_frames:
        raise InputError(f"there is no frame {frame}, the trajectory has {trajectory.n_frames}")
    frame %= trajectory.n_frames
    cells = consistent_cells(trajectory.cells)
    for first, fractions in fractional_chunks(trajectory, indices, cells):
        if first <= frame < first + len(fractions):
            labels = trajectory.species[indices]
            return Sites(fractions[frame - first], labels, cells.mean(axis=0), f"places of the ions in frame {frame}")
    raise InputError("the trajectory holds no frames")
