"""Tracer and charge diffusivities with intervals, from displacement moments and time bins.

    D* = lim d⟨|r_i(t) - r_i(0)|²⟩ / (2 d dt)          one ion, mean over N
    D_σ = lim d⟨|Σ_i z_i Δr_i|²⟩ / (2 d dt Σ_i z_i²)    the charge, one walker

Both slopes come from `slope.fit_slope`, from where `onset.find_onset` lets them start. A diffusivity is a mean of
squares, so its sampling distribution is that of a scaled χ² variable (`mlip_sse.analysis.results.Estimate`).

References
----------
X. He, Y. Zhu, A. Epstein, Y. Mo, npj Comput. Mater. 4, 18 (2018), doi:10.1038/s41524-018-0074-y (detection limit,
relative standard deviation from the number of effective jumps).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

from mlip_sse.analysis.results import Estimate, Interval, Verdict
from mlip_sse.analysis.transport.displacement.displacements import DisplacementMoments
from mlip_sse.analysis.transport.displacement.msd_covariance import gaussian_covariance
from mlip_sse.analysis.transport.displacement.onset import Msd, find_onset, start_of_fit
from mlip_sse.analysis.transport.displacement.slope import BlockError, SlopeFit, block_error
from mlip_sse.analysis.transport.displacement.time_bins import TimeBins
from mlip_sse.analysis.transport.temperature.reported import effective_jumps, he_zhu_mo_rsd
from mlip_sse.units import A2_PER_FS_TO_CM2_PER_S

__all__ = ["Diffusion", "Jumps", "charge_diffusion", "tracer_diffusion"]

N_AXES = 3
MIN_EFFECTIVE_JUMPS = 50.0
"""Below this the He-Zhu-Epstein-Mo relative standard deviation exceeds one half."""

RESOLVED_RELATIVE_VARIANCE = 0.25
"""A slope less than two standard errors from zero is not resolved."""

CHARGE_ALARM = 1e-3
"""The charge's own onset replaces the ions' only on strong evidence: one walker raises many false alarms."""

STILL = 1e-10
"""A mean squared displacement in Å² below any rounding of coordinates."""

_MIN_BLOCK_DOF = 3.0


@dataclass(frozen=True)
class Jumps:
    """How much motion there is to judge by.

    Parameters
    ----------
    effective
        N_eff = N (MSD at the longest lag, without the vibrational intercept) / a².
    relative_standard_deviation
        3.43/√N_eff + 0.04, an upper envelope for correlated solids; a diagnostic beside the interval.
    detection_limit_cm2_s
        Diffusivity at which N_eff would be 50 in a run of this length.
    """

    effective: float
    relative_standard_deviation: float
    detection_limit_cm2_s: float


@dataclass(frozen=True, eq=False)
class Diffusion:
    """A diffusivity, how it was obtained and whether it can be relied on.

    Parameters
    ----------
    diffusivity_cm2_s
        None where the data do not carry it; then ``limit_cm2_s`` bounds it from above.
    limit_cm2_s
        Upper limit with value None, where nothing was resolved.
    fit
        The line through the MSD (slope per frame), None where diffusion never set in.
    onset_fs, fit_start_fs
        Where the MSD becomes straight, and where the fit starts, in fs.
    model_error, block_error
        Relative standard errors from the covariance model and from time blocks (NaN: too few blocks).
    exponent
        d ln(MSD - intercept) / d ln t over the window.
    jumps
        Effective jumps and the diagnostics made of them.
    verdict
        pass, weak or refused, with reasons.
    from_slope
        False where the value is that of the spectrum, because the slope was not resolved.
    """

    diffusivity_cm2_s: Estimate | None
    limit_cm2_s: float | None
    fit: SlopeFit | None
    onset_fs: float
    fit_start_fs: float
    model_error: float
    block_error: float
    exponent: float
    jumps: Jumps
    verdict: Verdict
    from_slope: bool = True

    def interval(self, confidence: float) -> Interval:
        """Return the interval in cm²/s; its value is None and it starts at zero where there is only a limit."""
        if self.diffusivity_cm2_s is not None:
            return self.diffusivity_cm2_s.interval(confidence)
        limit = math.inf if self.limit_cm2_s is None else self.limit_cm2_s
        return Interval(None, 0.0, limit, confidence, "detection limit")


def tracer_diffusion(
    moments: DisplacementMoments, bins: TimeBins, frame_spacing_fs: float, hop_distance: float
) -> Diffusion:
    """Estimate the tracer diffusivity of one species.

    Parameters
    ----------
    moments
        Displacement moments of its ions.
    bins
        Time bins of the same ions and lags.
    frame_spacing_fs
        fs.
    hop_distance
        Distance of neighbouring sites in Å; enters the verdict and the detection limit only, never the value.
    """
    data = Msd(moments.lags[: bins.lags.size], moments.msd, moments.n_frames, moments.n_ions, bins, moments.variance)
    jumps = _count_jumps(moments.msd, 0.0, moments, frame_spacing_fs, hop_distance)
    if not moments.msd.max() > STILL:
        return _refused(data, frame_spacing_fs, jumps, "the ions never move: every displacement is zero")
    onset = find_onset(data)
    if onset.lag is None:
        tried = 0 if not onset.candidates else onset.candidates[-1] * frame_spacing_fs
        reason = (
            f"the mean squared displacement is not yet straight at {tried:.4g} fs, a tenth of the trajectory: "
            "diffusion has not set in, run longer"
        )
        return _refused(data, frame_spacing_fs, jumps, reason)
    start = start_of_fit(data, onset.lag)
    fit = data.fit(start)
    jumps = _count_jumps(moments.msd, fit.intercept, moments, frame_spacing_fs, hop_distance)
    estimate, model, block = _estimate(data, fit, frame_spacing_fs)
    if estimate is None or jumps.effective < 1:
        reason = "nothing diffused that can be told from zero: run longer or hotter"
        return _refused(data, frame_spacing_fs, jumps, reason, fit, onset.lag)
    verdict = _judge(Verdict(), moments, fit, jumps, hop_distance, start < 2 * onset.lag)
    return Diffusion(
        diffusivity_cm2_s=estimate,
        limit_cm2_s=None,
        fit=fit,
        onset_fs=onset.lag * frame_spacing_fs,
        fit_start_fs=fit.onset * frame_spacing_fs,
        model_error=model,
        block_error=block,
        exponent=_exponent(data, fit),
        jumps=jumps,
        verdict=verdict,
    )


def charge_diffusion(
    collective: DisplacementMoments,
    bins: TimeBins,
    sum_of_squared_charges: float,
    frame_spacing_fs: float,
    not_before: Diffusion,
    spectrum: Estimate | None = None,
) -> Diffusion:
    """Estimate the charge diffusivity D_σ; it fluctuates like one walker however many ions there are.

    Parameters
    ----------
    collective
        Moments of Q(t) = Σ_i z_i r_i(t), in e Å.
    bins
        Time bins of Q.
    sum_of_squared_charges
        Σ_i z_i² over the mobile ions, e².
    frame_spacing_fs
        fs.
    not_before
        The tracer diffusion of the same ions: the charge is not fitted before their onset.
    spectrum
        D_σ in cm²/s from the low-frequency spectrum, taken where the slope is not resolved.
    """
    msd = collective.msd / sum_of_squared_charges
    scaled = TimeBins(bins.lags, bins.n_frames, 1, bins.sums / sum_of_squared_charges, bins.counts)
    data = Msd(collective.lags[: bins.lags.size], msd, collective.n_frames, 1, scaled)
    if not_before.fit is None or not_before.diffusivity_cm2_s is None:
        return _refused(data, frame_spacing_fs, not_before.jumps, "the ions' own diffusion was not resolved")
    earliest = round(not_before.onset_fs / frame_spacing_fs)
    own = find_onset(data, CHARGE_ALARM).lag
    onset = max(earliest, earliest if own is None or own <= data.lags[0] else own)
    fit = data.fit(start_of_fit(data, onset, small_error=0.0))
    estimate, model, block = _estimate(data, fit, frame_spacing_fs)
    verdict, from_slope = Verdict(), estimate is not None
    if estimate is None:
        if spectrum is None:
            reason = "the charge's displacement is not resolved: run longer"
            return _refused(data, frame_spacing_fs, not_before.jumps, reason, fit, onset)
        estimate = spectrum
        verdict = verdict.weaken("the MSD of the charge is too noisy for a slope: D_σ is that of its spectrum")
    if own is None:
        verdict = verdict.weaken("the charge's mean squared displacement is nowhere straight: D_σ may be biased")
    return Diffusion(
        diffusivity_cm2_s=estimate,
        limit_cm2_s=None,
        fit=fit,
        onset_fs=onset * frame_spacing_fs,
        fit_start_fs=fit.onset * frame_spacing_fs,
        model_error=model,
        block_error=block,
        exponent=_exponent(data, fit),
        jumps=not_before.jumps,
        verdict=verdict,
        from_slope=from_slope,
    )


def _estimate(data: Msd, fit: SlopeFit, frame_spacing_fs: float) -> tuple[Estimate | None, float, float]:
    """Take the larger of model and block error; with too few blocks, the model times an earlier correlation."""
    error = block_error(data.bins, fit)
    chosen = BlockError(fit.variance, math.inf)
    method = "GLS slope of the MSD, closed-form covariance"
    if error.dof >= _MIN_BLOCK_DOF:
        if error.variance > fit.variance:
            chosen, method = error, "GLS slope of the MSD, time-block error"
    else:
        factor, dof = _earlier_correlation(data, fit)
        if factor > 1:
            chosen = BlockError(fit.variance * factor, dof)
            method = "GLS slope of the MSD, closed-form covariance with the ions' correlation at shorter lags"
    scale = abs(fit.slope)
    model, block = math.sqrt(fit.variance) / scale, math.sqrt(error.variance) / scale
    if fit.slope <= 0 or chosen.variance > RESOLVED_RELATIVE_VARIANCE * fit.slope**2:
        return None, model, block
    value = fit.slope / (2 * N_AXES) / frame_spacing_fs * A2_PER_FS_TO_CM2_PER_S
    return Estimate(value, chosen.variance / fit.slope**2, chosen.dof, method), model, block


def _earlier_correlation(data: Msd, fit: SlopeFit) -> tuple[float, float]:
    for lag in data.lags[data.lags < fit.onset][::-1]:
        earlier = data.fit(int(lag))
        error = block_error(data.bins, earlier)
        if error.dof >= _MIN_BLOCK_DOF and earlier.variance > 0:
            return max(1.0, error.variance / earlier.variance), error.dof
    return 1.0, math.inf


def _upper_limit(data: Msd, onset: int, frame_spacing_fs: float) -> float:
    """Return the smallest upper 97.5 % limit that MSD/(2 d t) allows at any lag from the onset on, in cm²/s.

    Vibration and back-jumps only raise MSD/(2 d t), so each lag bounds D from above; its own scatter is that of a χ²
    variable with the closed-form variance of Brownian motion.
    """
    lags = data.lags[data.lags >= onset]
    values = data.msd[data.lags.size - lags.size : data.lags.size] / (2 * N_AXES * lags * frame_spacing_fs)
    covariance = gaussian_covariance(lags, data.n_frames, 1.0, 0.0, N_AXES) / data.n_walkers
    relative_variance = np.diag(covariance) / (N_AXES * lags) ** 2
    limits = values / (gammaincinv(1.0 / relative_variance, 0.025) * relative_variance)
    return float(limits.min()) * A2_PER_FS_TO_CM2_PER_S


def _count_jumps(
    msd: NDArray[np.float64],
    intercept: float,
    moments: DisplacementMoments,
    frame_spacing_fs: float,
    hop_distance: float,
) -> Jumps:
    effective = effective_jumps(np.maximum(msd - max(intercept, 0.0), 0.0), moments.n_ions, hop_distance)
    longest_fs = float(moments.lags[-1]) * frame_spacing_fs
    limit = MIN_EFFECTIVE_JUMPS * hop_distance**2 / (2 * N_AXES * moments.n_ions * longest_fs)
    rsd = he_zhu_mo_rsd(effective) if effective > 0 else math.inf
    return Jumps(effective, rsd, limit * A2_PER_FS_TO_CM2_PER_S)


def _refused(
    data: Msd,
    frame_spacing_fs: float,
    jumps: Jumps,
    reason: str,
    fit: SlopeFit | None = None,
    onset: int | None = None,
) -> Diffusion:
    """Refuse, with an upper limit that is no lower than what a run of this length can detect."""
    limit = _upper_limit(data, onset or 1, frame_spacing_fs)
    if data.n_walkers > 1:
        limit = max(limit, jumps.detection_limit_cm2_s)
    return Diffusion(
        diffusivity_cm2_s=None,
        limit_cm2_s=limit,
        fit=fit,
        onset_fs=math.nan if onset is None else onset * frame_spacing_fs,
        fit_start_fs=math.nan if fit is None else fit.onset * frame_spacing_fs,
        model_error=math.nan,
        block_error=math.nan,
        exponent=math.nan,
        jumps=jumps,
        verdict=Verdict().refuse(f"{reason} (D < {limit:.2e} cm²/s)"),
    )


def _judge(
    verdict: Verdict, moments: DisplacementMoments, fit: SlopeFit, jumps: Jumps, hop_distance: float, cramped: bool
) -> Verdict:
    if jumps.effective < MIN_EFFECTIVE_JUMPS:
        verdict = verdict.weaken(
            f"only {jumps.effective:.0f} effective jumps (N·MSD/a²), expected at least {MIN_EFFECTIVE_JUMPS:.0f}"
        )
    reached = float(moments.msd[-1]) - max(fit.intercept, 0.0)
    if reached < hop_distance**2:
        verdict = verdict.weaken(
            f"the ions moved {reached:.2f} Å² beyond their cages in half the run, less than one hop of "
            f"{hop_distance:g} Å squared: slower correlations may be missing"
        )
    if cramped:
        verdict = verdict.weaken("the run is less than twenty times the onset of diffusion: a bias cannot be excluded")
    return verdict


def _exponent(data: Msd, fit: SlopeFit) -> float:
    moved = data.msd[fit.indices] - fit.intercept
    if np.any(moved <= 0):
        return math.nan
    return float(np.polyfit(np.log(fit.lags), np.log(moved), 1)[0])
