"""An interface on the page: does it react, with what energy, how thick the interphase grows, and what it is made of."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mlip_sse.report.campaign_record import CampaignRecord
from mlip_sse.report.figure import PALETTE, Figure, axes, shown
from mlip_sse.report.markup import Markup, bullets, joined, table, tag
from mlip_sse.report.untrusted import interval, items, mapping, number, numbers, text, texts
from mlip_sse.report.written import bounds_text, value_text, written

__all__ = ["interface_cards", "interface_section", "interface_sentence", "is_about_an_interface"]

_MOST_RUNS = 24
_VERBS: Mapping[Any, str] = {True: "reacts", False: "does not react", None: "not resolved"}


def is_about_an_interface(record: CampaignRecord) -> bool:
    """Return whether the campaign was asked about an interface."""
    return "interface" in (mapping(record.answer).get("question"), record.spec.get("question"))


def interface_cards(answer: Mapping[str, Any]) -> Markup:
    """Return for each temperature whether it reacts, and the energy of that."""
    cards = []
    for one in items(answer.get("temperatures"))[:_MOST_RUNS]:
        row = mapping(one)
        kelvin, energy = text(row.get("temperature_k"), 10), interval(row.get("reaction_energy_ev_atom"))
        said = row.get("does_react")
        bounds = "not known" if energy is None else f"{100 * energy.confidence:g} % interval {bounds_text(energy)}"
        unit = " eV by atom of the interface" if energy is not None else ""
        verb = _VERBS[said if isinstance(said, bool) else None]
        cards += [
            _card(f"At {kelvin} K", verb, "", f"in {_longest_ps(row):g} ps of dynamics"),
            _card(f"Reaction energy, {kelvin} K", value_text(energy), unit, bounds),
        ]
    return tag("dl", *cards, class_="cards") if cards else tag("p", "There is no anneal.")


def _card(name: str, value: str, unit: str, bounds: str) -> Markup:
    return tag(
        "div",
        tag("dt", name),
        tag("dd", tag("b", value), unit, class_="value"),
        tag("dd", bounds, class_="bounds"),
    )


def _longest_ps(row: Mapping[str, Any]) -> float:
    ends = [numbers(mapping(mapping(run).get("curve")).get("time_ps")) for run in items(row.get("runs"))]
    return max((float(times[-1]) for times in ends if len(times) and np.isfinite(times[-1])), default=0.0)


def interface_sentence(answer: Mapping[str, Any], resolved: bool) -> str:
    """Return in words what the answer rests on."""
    labels, built = mapping(answer.get("labels")), mapping(answer.get("interface"))
    learnt, checked = number(labels.get("n_labelled")), number(labels.get("n_checked"))
    n_atoms, strain = number(built.get("n_atoms")), number(built.get("max_strain"))
    what = "" if n_atoms is None else f" of {n_atoms:g} atoms"
    what += "" if strain is None else f", strained by at most {100 * strain:.1f} %,"
    rest = "" if learnt is None else f" learnt from {learnt:g} labels"
    held = "" if not checked else f", its energies held against {checked:g} further labels"
    said = "It stands within the stated intervals." if resolved else "It should not be used as it stands; see below."
    return f"From dynamics of an interface{what} with a potential{rest}{held}. {said}"


def interface_section(record: CampaignRecord) -> tuple[Markup | None, list[Figure]]:
    """Return the anneals one by one, what is intact and how thick the interphase is in time, and the energies."""
    if not is_about_an_interface(record) or record.answer is None:
        return None, []
    answer = record.answer
    rows = [mapping(one) for one in items(answer.get("temperatures"))]
    runs = [mapping(run) for row in rows for run in items(row.get("runs"))][:_MOST_RUNS]
    drawn = [
        figure
        for figure in (
            _curves(runs, "intact_fraction", "intact", "share of whole units", "Units that are whole"),
            _curves(runs, "thickness", "thickness", "thickness (Å)", "Thickness of the interphase"),
        )
        if figure is not None
    ]
    doubts = [f"{_name(run)}: {reason}" for run in runs for reason in texts(run.get("reasons"))]
    parts = [
        tag("h2", "The interface"),
        _built(mapping(answer.get("interface"))),
        _table(runs),
        tag("div", *(shown(figure) for figure in drawn), class_="grid") if drawn else None,
        _energies(rows),
        _products(runs),
        _at_rest(mapping(answer.get("at_rest"))),
        bullets(doubts),
    ]
    return tag("section", *parts, id="interface"), drawn


def _name(run: Mapping[str, Any]) -> str:
    return f"{text(run.get('temperature_k'), 10)} K, run {text(run.get('seed'), 10)}"


def _built(built: Mapping[str, Any]) -> Markup | None:
    strain, area = number(built.get("max_strain")), number(built.get("area_a2"))
    rows = []
    for side in ("a", "b"):
        miller = " ".join(text(each, 4) for each in items(mapping(built.get("millers")).get(side))[:3])
        thick = number(mapping(built.get("thickness_a")).get(side))
        face = text(mapping(built.get("terminations")).get(side), 200)
        rows.append((side, miller or "–", face or "–", "–" if thick is None else f"{thick:.1f}"))
    if strain is None or area is None:
        return None
    caption = f"{text(built.get('formula'), 60)}, {area:.1f} Å², largest strain {100 * strain:.2f} %."
    return table(("side", "plane", "faces", "thickness (Å)"), rows, caption)


def _table(runs: list[Mapping[str, Any]]) -> Markup | None:
    if not runs:
        return None
    rows = [
        (
            _name(run),
            text(run.get("reaction"), 60) or "–",
            written(interval(run.get("intact_fraction_start"))),
            written(interval(run.get("intact_fraction_end"))),
            written(interval(run.get("interphase_thickness"))),
            written(interval(run.get("parabolic_rate_cm2_s"))),
            written(interval(run.get("linear_rate_a_ps"))),
            text(run.get("growth_law"), 30) or "–",
            text(run.get("quality"), 20),
        )
        for run in runs
    ]
    head = ("run", "reaction", "whole at first", "whole at last", "thickness (Å)", "parabolic rate (cm²/s)")
    caption = "Brackets: 95 % intervals of what one run shows; the error of the potential is not in them."
    return table((*head, "linear rate (Å/ps)", "law", "quality"), rows, caption)


def _curves(runs: list[Mapping[str, Any]], key: str, name: str, unit: str, title: str) -> Figure | None:
    traces, rows = [], []
    for at, run in enumerate(runs):
        curve = mapping(run.get("curve"))
        times, values = numbers(curve.get("time_ps")), numbers(curve.get(key))
        n = min(len(times), len(values))
        if n < 2 or not (np.isfinite(times[:n]).all() and np.isfinite(values[:n]).all()):
            continue
        line = {"color": PALETTE[at % len(PALETTE)], "width": 2}
        trace = {"type": "scatter", "mode": "lines", "x": times[:n], "y": values[:n], "name": _name(run), "line": line}
        traces.append(trace)
        rows.append((_name(run), f"{values[0]:.3g}", f"{values[n - 1]:.3g}"))
    if not traces:
        return None
    words = f"{title} against time: " + "; ".join(f"{row[0]}: {row[1]} at first, {row[2]} at last" for row in rows)
    layout = axes("time (ps)", unit)
    return Figure(name, f"{title} in time.", words, traces, layout, ("run", "first", "last"), rows, 340, title)


def _energies(rows: list[Mapping[str, Any]]) -> Markup | None:
    found = []
    for row in rows:
        for one in items(row.get("energies"))[:_MOST_RUNS]:
            each = mapping(one)
            mine, theirs = (number(each.get(key)) for key in ("reaction_energy_ev_atom", "reference_ev_atom"))
            words = ["–" if value is None else f"{value:.4f}" for value in (mine, theirs)]
            found.append((text(row.get("temperature_k"), 10), *words, "; ".join(texts(each.get("reasons"))) or "–"))
    if not found:
        return None
    head = ("T (K)", "potential (eV/atom)", "reference, same structure (eV/atom)", "remarks")
    caption = "Reaction energy of what each anneal left, brought to rest, by atom that was near an interface at first."
    return joined([tag("h3", "Energies"), table(head, found, caption)])


def _products(runs: list[Mapping[str, Any]]) -> Markup | None:
    rows = []
    for run in runs:
        for one in items(run.get("products"))[:_MOST_RUNS]:
            each = mapping(one)
            share, low, high, expected = (number(each.get(key)) for key in ("share", "low", "high", "expected"))
            bounds = "–" if share is None else f"{share:.3f} ({low if low is not None else float('nan'):.3f} to "
            bounds += "" if share is None else f"{high if high is not None else float('nan'):.3f})"
            wanted = "–" if expected is None else f"{expected:.3f}"
            rows.append((_name(run), text(each.get("element"), 4), text(each.get("product"), 40), bounds, wanted))
    if not rows:
        return None
    caption = "Share of each element's atoms with the surroundings that they have in a product, at the end."
    head = ("run", "element", "surroundings as in", "share", "by the phase diagram")
    return tag("details", tag("summary", "What formed"), table(head, rows, caption))


def _at_rest(found: Mapping[str, Any]) -> Markup | None:
    adhesion = interval(found.get("work_of_adhesion_ev_a2"))
    value = number(mapping(found.get("work_of_adhesion_ev_a2")).get("value"))
    reasons = texts(found.get("reasons"))
    if value is None and adhesion is None:
        return bullets([f"Energies at rest: {reason}" for reason in reasons])
    joule = "–" if value is None else f"{16.0218 * value:.3f}"
    words = f"Work of adhesion of the interface as it was built, at rest: {joule} J/m², by the potential alone."
    return joined([tag("p", words), bullets(reasons)])
