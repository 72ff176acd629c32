"""Figure of rotation: decay of the orientation, when units turn, and hops around reorientations."""

from typing import TYPE_CHECKING

import numpy as np

from mlip_sse.analysis.mechanism.orientations import rotation_angles
from mlip_sse.analysis.transport.display.plots import COLOURS, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mlip_sse.analysis.mechanism.paddle_wheel import PaddleWheelResult
    from mlip_sse.analysis.mechanism.rotation import RotationResult

__all__ = ["plot_rotation"]

_GREY = "#666666"
_MOST_POINTS = 1000
_MOST_UNITS = 40
_LABELS = ("bonds, $C_1$", "bonds, $C_2$", "bodies, $B_1$", "bodies, $B_2$")


@styled
def plot_rotation(rotation: "RotationResult", wheel: "PaddleWheelResult | None" = None) -> "Figure":
    """Draw angular correlations, the orientation of each unit in time, and hops around reorientations.

    Parameters
    ----------
    rotation
        Of `mlip_sse.analysis.mechanism.rotation.Rotation.run`.
    wheel
        Of `mlip_sse.analysis.mechanism.paddle_wheel.PaddleWheel.run`.
    """
    figure, panels = new_figure((10.4, 3.4), 1, 3, {"width_ratios": (1.0, 1.15, 1.0)})
    _draw_correlations(panels[0], rotation)
    _draw_angles(panels[1], rotation)
    if wheel is None:
        panels[2].axis("off")
    elif wheel.events.n_reorientations and wheel.events.n_hops:
        _draw_coincidences(panels[2], wheel)
    else:
        _draw_rates(panels[2], wheel)
    return figure


def _draw_correlations(axes: "Axes", rotation: "RotationResult") -> None:
    for k, label in enumerate(_LABELS):
        values, errors = rotation.correlations[:, k], rotation.errors[:, k]
        style = "-" if k < 2 else (0, (4, 2))
        axes.plot(rotation.times_ps, values, color=COLOURS[k % 2], linestyle=style, label=label)
        axes.fill_between(
            rotation.times_ps, values - errors, values + errors, color=COLOURS[k % 2], alpha=0.15, linewidth=0
        )
    axes.set_xscale("log")
    axes.set_xlabel("time (ps)")
    axes.set_ylabel("angular correlation")
    axes.set_ylim(min(0.0, float(np.nanmin(rotation.correlations)) - 0.05), 1.05)
    axes.legend(loc="lower left")
    words = []
    for order, tau in enumerate(rotation.correlation_times_ps, start=1):
        words.append(
            f"τ$_{order}$ {'> ' + format(tau.low, '.3g') if tau.value is None else format(tau.value, '.3g')} ps"
        )
    axes.set_title(", ".join(words))


def _draw_angles(axes: "Axes", rotation: "RotationResult") -> None:
    n_units, n_frames = rotation.quaternions.shape[:2]
    stride = max(1, n_frames // _MOST_POINTS)
    times = np.arange(0, n_frames, stride) * rotation.frame_spacing_fs / 1000.0
    turned = set(rotation.reorientations.units.tolist())
    shown = sorted(range(n_units), key=lambda unit: unit not in turned)[:_MOST_UNITS]
    place = 0
    for unit in reversed(shown):
        angles = rotation_angles(rotation.quaternions[unit, :1], rotation.quaternions[unit, ::stride])
        angles = np.where(np.arange(0, n_frames, stride) < rotation.ends[unit], angles, np.nan)
        has_turned = unit in turned
        colour = COLOURS[place % len(COLOURS)] if has_turned else _GREY
        place += has_turned
        axes.plot(times, angles, color=colour, linewidth=1.0 if has_turned else 0.4, alpha=0.9 if has_turned else 0.5)
    events = rotation.reorientations
    at = events.frames * rotation.frame_spacing_fs / 1000.0
    if len(at):
        axes.plot(at, np.full(len(at), 186.0), "v", color="black", markersize=4, clip_on=False)
    axes.set_ylim(0, 180)
    axes.set_yticks((0, 60, 120, 180))
    axes.set_xlim(0, times[-1])
    axes.set_xlabel("time (ps)")
    axes.set_ylabel("angle from the first frame (°)")
    rest = "" if len(shown) == n_units else f", {len(shown)} shown"
    axes.set_title(
        f"{n_units} {rotation.units.name}{rest}: {len(events)} reorientation{'s' * (len(events) != 1)}", pad=12
    )


def _draw_coincidences(axes: "Axes", wheel: "PaddleWheelResult") -> None:
    found = wheel.events
    axes.fill_between(
        found.lags_ps, *found.null_limits, color=_GREY, alpha=0.25, linewidth=0, label="95 % of all time shifts"
    )
    axes.axhline(1.0, color=_GREY, linewidth=0.8)
    axes.axvline(0.0, color=_GREY, linewidth=0.8, linestyle=(0, (2, 2)))
    axes.plot(found.lags_ps, found.ratios, color=COLOURS[0], label="found")
    axes.set_xlabel("hop later than reorientation by (ps)")
    axes.set_ylabel("hops near the unit over chance")
    axes.set_ylim(0, 1.25 * max(float(found.ratios.max()), float(found.null_limits.max()), 1.0))
    axes.legend(loc="upper right")
    p_value = "" if found.p_value is None else f", p = {found.p_value:.2g}"
    axes.set_title(f"{found.word}{p_value}")


def _draw_rates(axes: "Axes", wheel: "PaddleWheelResult") -> None:
    found = wheel.rates
    if found.p_value is None:
        axes.axis("off")
        axes.text(0.5, 0.5, "too few events and times\nfor a coupling to hops", ha="center", va="center", color=_GREY)
        return
    axes.axhspan(*found.null_limits, color=_GREY, alpha=0.25, linewidth=0, label="95 % of all time shifts")
    axes.axvline(0.0, color=_GREY, linewidth=0.8, linestyle=(0, (2, 2)))
    axes.plot(found.lags_ps, found.coefficients, color=COLOURS[0], marker="o", markersize=3, label="found")
    axes.set_xlabel("cations move later than units turn by (ps)")
    axes.set_ylabel("correlation of the rates")
    axes.legend(loc="upper right")
    p_value = "" if found.p_value is None else f", p = {found.p_value:.2g}"
    axes.set_title(f"rates: {found.word}{p_value}")
