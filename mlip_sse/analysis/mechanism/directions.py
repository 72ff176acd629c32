"""In how many dimensions ions diffuse: ratios of the principal diffusivities, with intervals.

D₁ ≥ D₂ ≥ D₃ are the principal values of the diffusion tensor with the weights over lags that gave D*. The tensors of
single ions are resampled for the intervals of D₂/D₁ and D₃/D₁, and Hotelling's test on their deviatoric parts asks
whether the tensor differs from an isotropic one at all: sorting alone makes D₁ > D₃.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc

from mlip_sse.analysis.results import Interval, Quality
from mlip_sse.analysis.transport.displacement.diffusion import tracer_diffusion
from mlip_sse.analysis.transport.displacement.displacements import DisplacementMoments, displacement_moments
from mlip_sse.analysis.transport.displacement.lags import log_lags
from mlip_sse.analysis.transport.displacement.onset import LONGEST_START
from mlip_sse.analysis.transport.displacement.slope import WINDOW_RATIO
from mlip_sse.analysis.transport.displacement.time_bins import TimeBins, time_bins
from mlip_sse.trajectory.model import Trajectory
from mlip_sse.units import A2_PER_FS_TO_CM2_PER_S

__all__ = ["Directions", "diffusion_directions"]

MIN_FRAMES = 40
_MIN_IONS = 8
_N_LAGS = 60
_N_BINS = 64
_RESAMPLES = 1000
_DEVIATORIC = 5


@dataclass(frozen=True, eq=False)
class Directions:
    """Dimensionality of diffusion.

    Parameters
    ----------
    diffusivity_cm2_s
        D*, its value None where nothing was resolved.
    principal_cm2_s : (3,) largest first, None where nothing was resolved
    axes : (3, 3) unit vectors in rows, in the same order
    second, third
        D₂/D₁ and D₃/D₁.
    anisotropy
        D₁/((D₂ + D₃)/2).
    p_isotropic
        Probability of such a deviation from isotropy by chance; NaN with fewer than eight ions.
    reasons
        Why nothing was resolved, or what weakens it.
    """

    diffusivity_cm2_s: Interval
    principal_cm2_s: NDArray[np.float64] | None
    axes: NDArray[np.float64] | None
    second: Interval | None
    third: Interval | None
    anisotropy: Interval | None
    p_isotropic: float
    reasons: tuple[str, ...]


def diffusion_directions(
    trajectory: Trajectory, species: str, hop_distance: float = 3.0, confidence: float = 0.95, seed: int = 0
) -> Directions:
    """Return the principal diffusivities of a species and their ratios.

    Parameters
    ----------
    trajectory
        Seen from the reference frame that the diffusivity shall have.
    species
        Whose.
    hop_distance
        Å, for the verdict on D*.
    confidence
        Of all intervals.
    seed
        Of the resampling.
    """
    nothing = Interval(None, 0.0, math.inf, confidence, "not measured")
    if trajectory.n_frames < MIN_FRAMES:
        reason = f"{trajectory.n_frames} frames, fewer than {MIN_FRAMES}: no diffusion tensor"
        return Directions(nothing, None, None, None, None, None, math.nan, (reason,))
    lags = log_lags(trajectory.n_frames, _N_LAGS)
    short = lags[lags * LONGEST_START <= WINDOW_RATIO * trajectory.n_frames]
    moments, bins = [], []
    for block in trajectory.ion_blocks(trajectory.indices(species)):
        moments += [displacement_moments(block[k : k + 1], lags) for k in range(len(block))]
        bins.append(time_bins(block, short, _N_BINS))
    merged, spacing = DisplacementMoments.merge(moments), trajectory.frame_spacing_fs
    diffusion = tracer_diffusion(merged, TimeBins.merge(bins), spacing, hop_distance)
    reasons = diffusion.verdict.reasons
    if diffusion.fit is None or diffusion.diffusivity_cm2_s is None or diffusion.verdict.quality is Quality.REFUSED:
        return Directions(diffusion.interval(confidence), None, None, None, None, None, math.nan, reasons)
    unit = A2_PER_FS_TO_CM2_PER_S / (2 * spacing)
    weights, used = diffusion.fit.weights, diffusion.fit.indices
    tensors = np.stack([np.einsum("k,kab->ab", weights, one.tensor[used]) for one in moments]) * unit
    values, vectors = np.linalg.eigh(tensors.mean(axis=0))
    second, third, anisotropy = _ratios(tensors, confidence, seed)
    return Directions(
        diffusivity_cm2_s=diffusion.interval(confidence),
        principal_cm2_s=values[::-1],
        axes=vectors[:, ::-1].T,
        second=second,
        third=third,
        anisotropy=anisotropy,
        p_isotropic=_p_isotropic(tensors),
        reasons=reasons,
    )


def _ratios(tensors: NDArray[np.float64], confidence: float, seed: int) -> tuple[Interval, Interval, Interval]:
    """D₂/D₁, D₃/D₁ and the anisotropy with the percentiles of resampled ions."""
    n = len(tensors)
    chosen = np.random.default_rng(seed).integers(0, n, (_RESAMPLES, n))
    counts = np.zeros((_RESAMPLES, n))
    np.add.at(counts, (np.arange(_RESAMPLES)[:, None], chosen), 1.0)
    resampled = np.einsum("rn,nab->rab", counts / n, tensors)
    tails = [50 * (1 - confidence), 50 * (1 + confidence)]
    low, high = np.percentile(_three(np.linalg.eigvalsh(resampled)), tails, axis=0)
    value = _three(np.linalg.eigvalsh(tensors.mean(axis=0)))
    said = f"bootstrap over {n} ions"
    one, two, three = (
        Interval(float(v), float(min(a, v)), float(max(b, v)), confidence, said)
        for v, a, b in zip(value, low, high, strict=True)
    )
    return one, two, three


def _three(values: NDArray[np.float64]) -> NDArray[np.float64]:
    first = np.maximum(values[..., 2], 1e-300)
    rest = np.maximum(0.5 * (values[..., 0] + values[..., 1]), 1e-3 * first)
    ratios = (np.maximum(values[..., 1], 0) / first, np.maximum(values[..., 0], 0) / first, first / rest)
    return np.stack(ratios, axis=-1)


def _p_isotropic(tensors: NDArray[np.float64]) -> float:
    """Hotelling's T² of the five deviatoric components over ions."""
    n, p = len(tensors), _DEVIATORIC
    if n < _MIN_IONS:
        return math.nan
    xx, yy, zz = tensors[:, 0, 0], tensors[:, 1, 1], tensors[:, 2, 2]
    parts = np.stack([xx - yy, yy - zz, tensors[:, 1, 2], tensors[:, 0, 2], tensors[:, 0, 1]], axis=1)
    mean, scatter = parts.mean(axis=0), np.cov(parts.T) / n
    t2 = float(mean @ np.linalg.pinv(scatter) @ mean)
    return float(fdtrc(p, n - p, t2 * (n - p) / (p * (n - 1))))
