"""What the recipe `rotation` reports: numbers, tables, the figure, and the activation of reorientations."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from scipy.special import chdtrc

from mlip_sse.analysis.findings import Finding, Number
from mlip_sse.analysis.mechanism.angular_correlations import FUNCTIONS
from mlip_sse.analysis.mechanism.hop_activation import hop_activation
from mlip_sse.analysis.mechanism.paddle_wheel import PaddleWheelResult
from mlip_sse.analysis.mechanism.rotation import RotationResult
from mlip_sse.analysis.mechanism.rotation_plots import plot_rotation
from mlip_sse.analysis.results import Interval, Verdict
from mlip_sse.errors import InputError

__all__ = ["compare_rotations", "rotation_finding"]

_FEWEST_EVENTS = 5


def rotation_finding(rotation: RotationResult, wheel: PaddleWheelResult | str) -> Finding:
    """Turn results into a finding.

    Parameters
    ----------
    rotation
        Of `mlip_sse.analysis.mechanism.rotation.Rotation.run`.
    wheel
        Of `mlip_sse.analysis.mechanism.paddle_wheel.PaddleWheel.run`, or the reason why there is none.
    """
    units, events = rotation.units, rotation.reorientations
    tau1, tau2 = rotation.correlation_times_ps
    both = tau1.value is not None and tau2.value is not None
    numbers: dict[str, Number] = {
        "unit": units.name,
        "n_units": len(units),
        "n_broken": int((rotation.ends < rotation.quaternions.shape[1]).sum()),
        "correlation_time_1_ps": tau1,
        "correlation_time_2_ps": tau2,
        "correlation_time_ratio": tau1.value / tau2.value if both and tau1.value and tau2.value else None,
        "n_reorientations": len(events),
        "reorientation_rate_per_ps": rotation.rate_per_ps,
        "back_fraction": rotation.back_fraction,
        "libration_deg": rotation.libration_deg,
        "unsettled_fraction": rotation.unsettled_fraction,
    }
    verdict = rotation.verdict
    tables: dict[str, Sequence[Mapping[str, Any]]] = {
        "reorientations": _events_table(rotation),
        "angular_correlation": _curve_table(rotation),
    }
    if isinstance(wheel, str):
        verdict = verdict.weaken(f"coupling to hops refused: {wheel}")
        numbers |= {"coupling": "refused", "rate_coupling": "refused"}
    else:
        found, rates = wheel.events, wheel.rates
        for reason in wheel.verdict.reasons:
            verdict = verdict.weaken(reason)
        numbers |= {
            "coupling": found.word,
            "coupling_p_value": found.p_value,
            "n_hops_near": found.n_hops,
            "n_coincidences": found.n_coincidences,
            "expected_coincidences": found.expected,
            "excess_hops_by_reorientation": found.excess,
            "detectable_hops_by_reorientation": found.detectable if math.isfinite(found.detectable) else None,
            "rate_coupling": rates.word,
            "rate_correlation": rates.coefficient,
            "rate_coupling_p_value": rates.p_value,
        }
        tables["coincidences"] = [
            {"lag_ps": lag, "ratio": ratio, "chance_low": low, "chance_high": high}
            for lag, ratio, low, high in zip(found.lags_ps, found.ratios, *found.null_limits, strict=True)
        ]
    return Finding(
        numbers=numbers,
        verdict=verdict,
        details={"left_out": list(units.left_out), "shared_ligands": units.n_shared},
        tables=tables,
        arrays={"quaternions": rotation.quaternions, "centres": units.centres, "ends": rotation.ends},
        plot=lambda: plot_rotation(rotation, None if isinstance(wheel, str) else wheel),
        result=(rotation, wheel),
    )


def _events_table(rotation: RotationResult) -> list[dict[str, float | int | bool | str]]:
    events, units = rotation.reorientations, rotation.units
    spacing_ps = rotation.frame_spacing_fs / 1000.0
    return [
        {
            "time_ps": float(frame) * spacing_ps,
            "unit": int(unit),
            "centre_atom": int(units.centres[unit]),
            "angle_deg": float(angle),
            "returned": bool(back),
        }
        for frame, unit, angle, back in zip(
            events.frames, events.units, events.angles_deg, events.returned, strict=True
        )
    ]


def _curve_table(rotation: RotationResult) -> list[dict[str, float]]:
    return [
        {"lag_ps": float(lag)}
        | {name: float(value) for name, value in zip(FUNCTIONS, values, strict=True)}
        | {f"{name}_error": float(value) for name, value in zip(FUNCTIONS, errors, strict=True)}
        for lag, values, errors in zip(rotation.times_ps, rotation.correlations, rotation.errors, strict=True)
    ]


def compare_rotations(findings: Sequence[tuple[float, Finding]], confidence: float) -> Finding | None:
    """Fit the reorientations of all temperatures; None for fewer than two temperatures.

    Parameters
    ----------
    findings
        Temperature in K and finding of each trajectory.
    confidence
        Of the intervals.
    """
    if len({kelvin for kelvin, _ in findings}) < 2:
        return None
    rows = []
    for kelvin, finding in findings:
        rotation: RotationResult = finding.result[0]
        time_fs = float(rotation.ends.sum()) * rotation.frame_spacing_fs
        rows.append((kelvin, len(rotation.reorientations), time_fs))
    kelvins, counts, times = (list(column) for column in zip(*rows, strict=True))
    total = int(sum(counts))
    numbers: dict[str, Number] = {"n_reorientations": total, "n_temperatures": len(set(kelvins))}
    table = [
        {"temperature_k": kelvin, "n_reorientations": count, "unit_time_ps": time / 1000.0}
        for kelvin, count, time in rows
    ]
    verdict, energy, frequency = Verdict(), None, None
    try:
        if total < _FEWEST_EVENTS:
            raise InputError(f"{total} reorientations at all temperatures, expected at least {_FEWEST_EVENTS}")
        fit = hop_activation(kelvins, counts, times, confidence)
        energy, frequency = fit.activation_energy_ev, fit.attempt_frequency_thz
        verdict = _judged(energy, verdict)
    except InputError as error:
        verdict = verdict.refuse(f"no activation energy of reorientation: {error}")
    numbers |= {"reorientation_activation_energy_ev": energy, "attempt_frequency_thz": frequency}
    numbers |= _pooled([finding.result[1] for _, finding in findings], confidence)
    return Finding(numbers=numbers, verdict=verdict, tables={"temperatures": table})


def _pooled(wheels: Sequence[PaddleWheelResult | str], confidence: float) -> dict[str, Number]:
    """Return what all trajectories together say on coupling, by Fisher's method.

    References
    ----------
    R. A. Fisher, Statistical Methods for Research Workers, 4th ed. (1932), § 21.1
    """
    found = [wheel for wheel in wheels if not isinstance(wheel, str)]
    numbers: dict[str, Number] = {}
    for name, values in (
        ("coupling", [wheel.events.p_value for wheel in found]),
        ("rate_coupling", [wheel.rates.p_value for wheel in found]),
    ):
        known = [value for value in values if value is not None]
        p_value = float(chdtrc(2 * len(known), -2.0 * sum(math.log(value) for value in known))) if known else None
        numbers[f"{name}_p_value"] = p_value
        numbers[f"n_{name}_trajectories"] = len(known)
    excess = sum(wheel.events.n_coincidences - wheel.events.expected for wheel in found)
    turns = sum(wheel.events.n_reorientations for wheel in found)
    numbers["excess_hops_by_reorientation"] = excess / turns if turns else None
    pooled = numbers["coupling_p_value"]
    numbers["coupling"] = "not enough events"
    if isinstance(pooled, float) and turns >= _FEWEST_EVENTS:
        detectable = (
            math.sqrt(
                sum(
                    (wheel.events.detectable * wheel.events.n_reorientations) ** 2
                    for wheel in found
                    if wheel.events.n_reorientations
                )
            )
            / turns
        )
        numbers["detectable_hops_by_reorientation"] = detectable
        if pooled <= 1 - confidence:
            numbers["coupling"] = "coupled"
        elif detectable <= 1:
            numbers["coupling"] = "no coupling seen"
    return numbers


def _judged(energy: Interval, verdict: Verdict) -> Verdict:
    if energy.low <= 0:
        return verdict.weaken(
            f"the activation energy of reorientation is not resolved from zero: {energy.low:.2g} to {energy.high:.2g} "
            "eV; watch longer, or at more temperatures"
        )
    return verdict
