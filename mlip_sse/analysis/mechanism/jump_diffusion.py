"""Jump diffusivity and correlation factor: what the hops would give as random walks, and what they give.

    D_J = Σ |a|² / (2 d N t)   over all jumps a of N ions in a time t,      f = D* / D_J

with D* from the mean squared displacement of the same ions. f < 1 where jumps tend to be taken back, as by a vacancy
that stays; it is 1 for independent walkers.

References
----------
J. Bardeen, C. Herring, in Imperfections in Nearly Perfect Crystals (Wiley, 1952), p. 261
G. E. Murch, Solid State Ionics 7, 177 (1982), doi:10.1016/0167-2738(82)90050-9
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.mechanism.jumps import Jumps
from mlip_sse.analysis.mechanism.visits import Visits
from mlip_sse.analysis.results import Estimate, Interval
from mlip_sse.analysis.transport.displacement.diffusion import Diffusion, tracer_diffusion
from mlip_sse.analysis.transport.displacement.displacements import DisplacementMoments, displacement_moments
from mlip_sse.analysis.transport.displacement.lags import log_lags
from mlip_sse.analysis.transport.displacement.onset import LONGEST_START
from mlip_sse.analysis.transport.displacement.slope import WINDOW_RATIO
from mlip_sse.analysis.transport.displacement.time_bins import TimeBins, time_bins
from mlip_sse.trajectory.model import Trajectory
from mlip_sse.units import A2_PER_FS_TO_CM2_PER_S

__all__ = ["JumpDiffusion", "jump_diffusion", "tracer_of"]

N_AXES = 3
_N_BLOCKS = 16
_FEWEST_FRAMES = 40
"""Fewer frames carry no mean squared displacement with an error."""


@dataclass(frozen=True, eq=False)
class JumpDiffusion:
    """Jump diffusivity beside the tracer's.

    Parameters
    ----------
    jump_diffusivity_cm2_s
        D_J; None where nothing jumped.
    tracer
        Diffusion from the mean squared displacement; None for too few frames.
    correlation_factor
        f = D*/D_J; None where D* is not resolved.
    unexplained
        Root mean square of the ions' net displacement that their jumps leave unexplained, Å: about √6 times the
        vibration along an axis where the sites are complete.
    """

    jump_diffusivity_cm2_s: Interval | None
    tracer: Diffusion | None
    correlation_factor: Interval | None
    unexplained: float


def tracer_of(trajectory: Trajectory, indices: NDArray[np.intp], hop_distance: float) -> Diffusion | None:
    """Return the tracer diffusion of some ions as the transport analyzer finds it, None for fewer than 40 frames."""
    if trajectory.n_frames < _FEWEST_FRAMES:
        return None
    lags = log_lags(trajectory.n_frames)
    short = lags[lags * LONGEST_START <= WINDOW_RATIO * trajectory.n_frames]
    moments, bins = [], []
    for block in trajectory.ion_blocks(indices):
        moments.append(displacement_moments(block, lags))
        bins.append(time_bins(block, short, 64))
    return tracer_diffusion(
        DisplacementMoments.merge(moments), TimeBins.merge(bins), trajectory.frame_spacing_fs, hop_distance
    )


def jump_diffusion(
    trajectory: Trajectory,
    indices: NDArray[np.intp],
    visits: Visits,
    jumps: Jumps,
    vectors: NDArray[np.float64],
    confidence: float = 0.95,
) -> JumpDiffusion:
    """Compare the diffusivity of the jumps with that of the displacements.

    Parameters
    ----------
    trajectory
        What was assigned.
    indices : (n_ions,)
        The ions that were assigned.
    visits, jumps
        Their visits and jumps.
    vectors : (n_jumps, 3) Å
        Of the jumps.
    """
    squares = (vectors**2).sum(axis=1)
    lengths = math.sqrt(float(squares.mean())) if len(squares) else 3.0
    tracer = tracer_of(trajectory, indices, lengths)
    unexplained = _unexplained(trajectory, indices, visits, jumps, vectors)
    if not len(squares):
        return JumpDiffusion(None, tracer, None, unexplained)
    time = 2 * N_AXES * visits.n_ions * visits.n_frames * trajectory.frame_spacing_fs
    value = float(squares.sum()) / time * A2_PER_FS_TO_CM2_PER_S
    n_blocks = max(2, min(_N_BLOCKS, visits.n_frames // 4))
    blocks = np.bincount(jumps.frames * n_blocks // visits.n_frames, weights=squares, minlength=n_blocks)
    counted = float((squares**2).sum() / squares.sum() ** 2)
    scattered = float(blocks.var(ddof=1) / n_blocks / blocks.mean() ** 2)
    jump = Estimate(value, max(counted, scattered), method="sum of squared jumps; the larger of count and block error")
    factor = None
    if tracer is not None and tracer.diffusivity_cm2_s is not None:
        found = tracer.diffusivity_cm2_s
        variance = found.relative_variance + jump.relative_variance
        method = f"D* ({found.method}) over the sum of squared jumps"
        factor = Estimate(found.value / value, variance, found.dof, method).interval(confidence)
    return JumpDiffusion(jump.interval(confidence), tracer, factor, unexplained)


def _unexplained(
    trajectory: Trajectory,
    indices: NDArray[np.intp],
    visits: Visits,
    jumps: Jumps,
    vectors: NDArray[np.float64],
) -> float:
    """Return the rms of net displacement less the sum of the jumps, Å."""
    net = np.asarray(trajectory.positions[-1], dtype=np.float64)[indices]
    net = net - np.asarray(trajectory.positions[0], dtype=np.float64)[indices]
    if trajectory.drift is not None:
        net -= trajectory.drift[-1] - trajectory.drift[0]
    hopped = np.zeros((visits.n_ions, N_AXES))
    np.add.at(hopped, jumps.ions, vectors)
    return float(np.sqrt(((net - hopped) ** 2).sum(axis=1).mean()))
