"""Diffusion tensor: along the crystal axes, its principal values, its anisotropy, each with an interval.

    D_ab = lim d⟨Δr_a Δr_b⟩ / (2 dt)

The weights over lags that gave the tracer diffusivity are applied to every component, so that D* = tr(D)/3 exactly. The
scatter of the components over time blocks gives their covariance.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc, stdtrit

from mlip_sse.analysis.results import Interval
from mlip_sse.analysis.transport.displacement.displacements import DisplacementMoments
from mlip_sse.analysis.transport.displacement.slope import BLOCK_LENGTH, SlopeFit
from mlip_sse.analysis.transport.displacement.time_bins import TimeBins
from mlip_sse.units import A2_PER_FS_TO_CM2_PER_S

__all__ = ["DiffusionTensor", "diffusion_tensor"]

_VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
_DEVIATORIC = 5
"""Components of a symmetric tensor besides its trace."""

_MIN_BLOCKS = 4
_MIN_BLOCKS_FOR_ISOTROPY = 8


@dataclass(frozen=True, eq=False)
class DiffusionTensor:
    """Diffusion tensor of one species.

    Parameters
    ----------
    components_cm2_s : (3, 3) cm²/s in Cartesian axes
    along_axes_cm2_s
        D along the unit vectors of a, b and c; no interval below four time blocks.
    principal_cm2_s : (3,) principal values, largest first
    principal_axes : (3, 3) unit vectors in rows, in the same order
    anisotropy
        D₁ / ((D₂ + D₃)/2).
    p_isotropic
        Probability of a deviatoric part at least as large if diffusion were isotropic (Hotelling's test over time
        blocks); NaN below eight blocks.
    """

    components_cm2_s: NDArray[np.float64]
    along_axes_cm2_s: tuple[Interval | None, Interval | None, Interval | None]
    principal_cm2_s: NDArray[np.float64]
    principal_axes: NDArray[np.float64]
    anisotropy: Interval | None
    p_isotropic: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain fields; an anisotropy that may be none is said to be so."""
        return {
            "components_cm2_s": self.components_cm2_s.tolist(),
            "along_a_cm2_s": self.along_axes_cm2_s[0],
            "along_b_cm2_s": self.along_axes_cm2_s[1],
            "along_c_cm2_s": self.along_axes_cm2_s[2],
            "principal_cm2_s": self.principal_cm2_s.tolist(),
            "principal_axes": self.principal_axes.tolist(),
            "anisotropy": self.anisotropy,
            "p_isotropic": self.p_isotropic,
        }


def diffusion_tensor(
    moments: DisplacementMoments,
    bins: TimeBins,
    fit: SlopeFit,
    cell: NDArray[np.float64],
    frame_spacing_fs: float,
    confidence: float = 0.95,
) -> DiffusionTensor:
    """Compute the diffusion tensor with the weights of a slope fit.

    Parameters
    ----------
    moments
        Moments of the ions.
    bins
        Time bins of the same ions.
    fit
        Slope of their MSD.
    cell : (3, 3) Å, rows are the cell vectors
    frame_spacing_fs
        fs.
    confidence
        Of every interval.
    """
    unit = A2_PER_FS_TO_CM2_PER_S / (2 * frame_spacing_fs)
    tensor = np.einsum("k,kab->ab", fit.weights, moments.tensor[fit.indices]) * unit
    blocks = _block_components(bins, fit) * unit
    values, vectors = np.linalg.eigh(tensor)
    axes = cell / np.linalg.norm(cell, axis=1, keepdims=True)
    along = tuple(_along(axis, tensor, blocks, confidence) for axis in axes)
    return DiffusionTensor(
        components_cm2_s=tensor,
        along_axes_cm2_s=(along[0], along[1], along[2]),
        principal_cm2_s=values[::-1],
        principal_axes=vectors[:, ::-1].T,
        anisotropy=_anisotropy(tensor, blocks, confidence),
        p_isotropic=_isotropy(tensor, blocks),
    )


def _block_components(bins: TimeBins, fit: SlopeFit) -> NDArray[np.float64]:
    """Weighted slope of each Voigt component in non-overlapping time blocks, (n_blocks, 6) Å² per frame."""
    whole = bins.whole[:, fit.indices].all(axis=1)
    series = np.einsum("k,bkc->bc", fit.weights, bins.mean_products()[np.ix_(whole, fit.indices)])
    length = max(1, math.ceil(BLOCK_LENGTH * fit.longest / bins.frames_per_bin))
    n_blocks = len(series) // length
    return np.asarray(series[: n_blocks * length].reshape(n_blocks, length, 6).mean(axis=1))


def _from_voigt(components: NDArray[np.float64]) -> NDArray[np.float64]:
    tensor = np.empty((*components.shape[:-1], 3, 3))
    for k, (a, b) in enumerate(_VOIGT):
        tensor[..., a, b] = tensor[..., b, a] = components[..., k]
    return tensor


def _along(
    axis: NDArray[np.float64], tensor: NDArray[np.float64], blocks: NDArray[np.float64], confidence: float
) -> Interval | None:
    n = len(blocks)
    if n < _MIN_BLOCKS:
        return None
    value = float(axis @ tensor @ axis)
    series = np.einsum("a,nab,b->n", axis, _from_voigt(blocks), axis)
    half = float(stdtrit(n - 1, 0.5 + confidence / 2) * series.std(ddof=1) / math.sqrt(n))
    return Interval(value, max(value - half, 0.0), value + half, confidence, f"slope with {n} time blocks, Student t")


def _ratio(tensor: NDArray[np.float64]) -> float:
    values = np.linalg.eigvalsh(tensor)
    return float(values[2] / max(0.5 * (values[0] + values[1]), 1e-300))


def _anisotropy(tensor: NDArray[np.float64], blocks: NDArray[np.float64], confidence: float) -> Interval | None:
    n = len(blocks)
    value = _ratio(tensor)
    if n < _MIN_BLOCKS or value <= 0:
        return None
    shifts = (blocks.mean(axis=0) - blocks) / (n - 1)
    left_out = np.log([_ratio(tensor + _from_voigt(shift)) for shift in shifts])
    error = math.sqrt((n - 1) / n * float(np.sum((left_out - left_out.mean()) ** 2)))
    half = float(stdtrit(n - 1, 0.5 + confidence / 2)) * error
    low, high = value * math.exp(-half), value * math.exp(half)
    return Interval(value, max(low, 1.0), high, confidence, f"jackknife of ln(anisotropy) over {n} time blocks")


def _isotropy(tensor: NDArray[np.float64], blocks: NDArray[np.float64]) -> float:
    """Hotelling's T² of the five deviatoric components."""
    n, p = len(blocks), _DEVIATORIC
    if n < _MIN_BLOCKS_FOR_ISOTROPY:
        return math.nan

    def deviatoric(t: NDArray[np.float64]) -> NDArray[np.float64]:
        parts = (t[..., 0, 0] - t[..., 1, 1], t[..., 1, 1] - t[..., 2, 2], t[..., 1, 2], t[..., 0, 2], t[..., 0, 1])
        return np.stack(parts, axis=-1)

    mean, scatter = deviatoric(tensor), np.cov(deviatoric(_from_voigt(blocks)).T) / n
    t2 = float(mean @ np.linalg.pinv(scatter) @ mean)
    return float(fdtrc(p, n - p, t2 * (n - p) / (p * (n - 1))))
