"""Held against the teacher: diffusivity and structure side by side, how soft the potential is, how much faster."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mlip_sse.report.barrier_section import is_about_barriers
from mlip_sse.report.campaign_record import CampaignRecord
from mlip_sse.report.figure import INK, PALETTE, SYMBOLS, Figure, axes, label, shown
from mlip_sse.report.interface_section import is_about_an_interface
from mlip_sse.report.markup import Markup, badge, bullets, joined, table, tag
from mlip_sse.report.untrusted import interval, mapping, number, numbers, text, texts
from mlip_sse.report.written import written

__all__ = ["checks_section"]

_PEAK_TOLERANCE_A = 0.05
_NO_TEACHER = "No dynamics with the reference itself was run to compare with."
_ON_PATHS = (
    "The reference was asked along the path of each hop; its energies stand beside those of the potential above."
)

_AT_REST = (
    "The reference was asked for the energies of what the anneals left, brought to rest; they stand beside those of "
    "the potential above."
)


def checks_section(record: CampaignRecord) -> tuple[Markup | None, list[Figure]]:
    """Return the comparison with the reference and its plots; nothing before there is an answer."""
    if record.answer is None:
        return None, []
    teacher = mapping(record.answer.get("teacher_check"))
    softening = mapping(record.answer.get("softening"))
    figures = [_rdf_plot(*pair) for pair in list(mapping(teacher.get("rdf")).items())[:10]]
    drawn = [figure for figure in figures if figure is not None]
    soft = _softening_plot(softening)
    parts = [
        tag("h2", "Held against its teacher"),
        _teacher(teacher) if teacher else tag("p", _without_dynamics(record)),
        tag("h3", "Structure: pair distributions") if drawn else None,
        tag("div", *(shown(figure) for figure in drawn), class_="grid small") if drawn else None,
        _softening(softening),
        _pressure(mapping(record.answer.get("pressure_offset_gpa"))),
        shown(soft) if soft is not None else None,
        _speed(record.answer),
    ]
    return tag("section", *parts, id="teacher"), [*drawn, *([soft] if soft is not None else [])]


def _without_dynamics(record: CampaignRecord) -> str:
    """Say what the reference was asked for where it ran no dynamics."""
    if is_about_barriers(record):
        return _ON_PATHS
    return _AT_REST if is_about_an_interface(record) else _NO_TEACHER


def _teacher(teacher: Mapping[str, Any]) -> Markup:
    agree = teacher.get("agree") is True
    kelvin, duration = text(teacher.get("temperature_k"), 10), text(teacher.get("duration_ps"), 10)
    rows = [
        ("this potential", written(interval(teacher.get("student_cm2_s")))),
        ("the reference itself", written(interval(teacher.get("teacher_cm2_s")))),
    ]
    windows, factor = interval(teacher.get("windows_cm2_s")), number(teacher.get("chance_factor"))
    if windows is not None:
        rows.insert(1, ("this potential, in runs as short as the reference's", written(windows)))
    seen = "" if factor is None else f" Runs as short as these show a difference only beyond a factor {factor:.2g}."
    peaks = [
        (text(pair, 20), f"{shift:.3f}", _length(mapping(found).get("peak_chance_a")), _within(shift))
        for pair, found in list(mapping(teacher.get("rdf")).items())[:10]
        if (shift := number(mapping(found).get("peak_shift_a"))) is not None
    ]
    told = f" Dynamics of the same cell at {kelvin or '?'} K, {duration or '?'} ps with the reference."
    verdict = badge("agrees", "good") if agree else badge("does not agree", "bad")
    return joined(
        [
            tag("p", verdict, told + seen),
            table(("dynamics with", "D* (cm²/s)"), rows),
            bullets(texts(teacher.get("reasons"))),
            table(("pair", "shift of the first peak (Å)", "chance allows (Å)", f"{_PEAK_TOLERANCE_A:g} Å"), peaks)
            if peaks
            else None,
        ]
    )


def _length(thing: Any) -> str:
    found = number(thing)
    return "–" if found is None else f"{found:.3f}"


def _within(shift: float) -> str:
    return "within" if abs(shift) <= _PEAK_TOLERANCE_A else "beyond"


def _rdf_plot(pair: str, found: Any) -> Figure | None:
    name, curves = text(pair, 20), mapping(found)
    r, student, teacher = (numbers(curves.get(key)) for key in ("r_a", "student", "teacher"))
    n = min(len(r), len(student), len(teacher))
    if n < 2 or not all(letter.isalnum() or letter == "-" for letter in name):
        return None
    line = {"type": "scatter", "mode": "lines", "x": r[:n]}
    layout = axes("r (Å)", "g(r)")
    shift = number(curves.get("peak_shift_a"))
    said = "" if shift is None else f" First peaks are {shift:.3f} Å apart."
    peaks = ", ".join(
        f"{r[int(np.nanargmax(g[:n]))]:.2f} Å ({who})"
        for who, g in (("potential", student), ("reference", teacher))
        if np.isfinite(g[:n]).any()
    )
    return Figure(
        f"rdf-{name}",
        f"Pair distribution {name}.{said}",
        f"Pair distribution of {name}; highest at {peaks}.{said}",
        [
            {**line, "y": teacher[:n], "name": "reference", "line": {"color": INK, "width": 2.5, "dash": "dash"}},
            {**line, "y": student[:n], "name": "potential", "line": {"color": PALETTE[0], "width": 2}},
        ],
        layout,
        height=270,
        title=name,
    )


def _softening(found: Mapping[str, Any]) -> Markup | None:
    slope, low, high = _slope(found)
    if slope is None:
        return None
    bounds = "" if low is None or high is None else f" (95 % interval {low:.3f} to {high:.3f})"
    if low is None or high is None:
        said = "How sure that is, is not known."
    elif low <= 1.0 <= high:
        said = "No softening beyond its error."
    else:
        said = "It is softer than its teacher." if slope < 1 else "It is stiffer than its teacher."
    rmse = number(found.get("force_rmse_ev_a"))
    if rmse is not None:
        said += f" Along the dynamics of the answer the forces are {1000 * rmse:.0f} meV/Å off (root mean square)."
    told = f"Predicted over reference forces have the slope {slope:.3f}{bounds}; 1 is neither soft nor stiff. {said}"
    return joined([tag("h3", "Softening"), tag("p", told)])


def _pressure(found: Mapping[str, Any]) -> Markup | None:
    value, low, high = (number(found.get(name)) for name in ("value", "low", "high"))
    if value is None or low is None or high is None:
        return None
    told = (
        f"On the same frames the potential's pressure is {value:+.2f} GPa off the reference's (95 % interval "
        f"{low:+.2f} to {high:+.2f}); above 0, its mean cells are larger than the reference's would be."
    )
    return joined([tag("h3", "Pressure"), tag("p", told)])


def _slope(found: Mapping[str, Any]) -> tuple[float | None, float | None, float | None]:
    slope = number(found.get("slope"))
    return (
        slope if slope is not None else number(found.get("value")),
        number(found.get("low")),
        number(found.get("high")),
    )


def _softening_plot(found: Mapping[str, Any]) -> Figure | None:
    rows = [("all", *_slope(found))]
    for element, one in list(mapping(found.get("per_element")).items())[:12]:
        known = (number(one), None, None) if number(one) is not None else _slope(mapping(one))
        rows.append((label(element, 3), *known))
    points = [(w, s, s if lo is None else lo, s if hi is None else hi) for w, s, lo, hi in rows if s is not None]
    if len(points) < 2:
        return None
    slopes = np.array([point[1] for point in points])
    layout = axes("", "slope of the forces")
    layout["xaxis"]["type"] = "category"
    layout["showlegend"] = False
    layout["shapes"] = [
        {
            "type": "line",
            "xref": "paper",
            "x0": 0,
            "x1": 1,
            "y0": 1,
            "y1": 1,
            "line": {"color": INK, "dash": "dash", "width": 1},
        }
    ]
    trace = {
        "type": "scatter",
        "mode": "markers",
        "x": [point[0] for point in points],
        "y": slopes,
        "marker": {"size": 10, "color": PALETTE[0], "symbol": SYMBOLS[0]},
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": np.array([point[3] for point in points]) - slopes,
            "arrayminus": slopes - np.array([point[2] for point in points]),
            "color": PALETTE[0],
        },
        "hovertemplate": "%{x}: %{y:.3f}<extra></extra>",
    }
    return Figure(
        "softening",
        "Slope of predicted over reference forces, all atoms and by element, with 95 % intervals. Dashed: the teacher.",
        "Softening slopes: " + ", ".join(f"{point[0]} {point[1]:.3f}" for point in points),
        [trace],
        layout,
        head=("atoms", "slope", "interval"),
        rows=[(w, f"{s:.3f}", f"{lo:.3f} to {hi:.3f}") for w, s, lo, hi in points],
        height=300,
    )


def _speed(answer: Mapping[str, Any]) -> Markup | None:
    speed = mapping(answer.get("speed"))
    student, teacher, ratio = (number(speed.get(k)) for k in ("student_atom_steps_s", "teacher_atom_steps_s", "ratio"))
    if ratio is None or student is None or teacher is None:
        return None
    labels = mapping(answer.get("labels"))
    steps = number(labels.get("n_reference_md_steps"))
    rest = "" if not steps else f" The check took {steps:g} steps of dynamics with the reference beside the labels."
    rates = f"The potential does {student:,.0f} atom-steps a second, the reference {teacher:,.0f}"
    return joined([tag("h3", "Speed"), tag("p", f"{rates}: {ratio:.3g} times as many.{rest}")])
