"""The first thing on the page: the answer, how far it holds, and what would make it better."""

from collections.abc import Mapping
from typing import Any

from mlip_sse.analysis.results import Interval
from mlip_sse.report.answer_figures import (
    ERROR_SOURCES,
    ArrheniusPoints,
    arrhenius_plot,
    error_plot,
    msd_plot,
)
from mlip_sse.report.barrier_section import barrier_cards, barrier_sentence, is_about_barriers
from mlip_sse.report.campaign_record import CampaignRecord
from mlip_sse.report.figure import Figure, shown
from mlip_sse.report.interface_section import interface_cards, interface_sentence, is_about_an_interface
from mlip_sse.report.markup import Markup, badge, bullets, joined, table, tag
from mlip_sse.report.production import Production
from mlip_sse.report.untrusted import interval, items, mapping, number, text, texts
from mlip_sse.report.written import bounds_text, value_text, written

__all__ = ["answer_section", "headline", "transport_section"]

_QUANTITIES = (
    ("conductivity_300k_ms_cm", "Conductivity at 300 K", "σ(300 K)", "mS/cm"),
    ("activation_energy_ev", "Activation energy", "Ea", "eV"),
    ("diffusivity_300k_cm2_s", "Diffusivity at 300 K", "D*(300 K)", "cm²/s"),
)
_UNKNOWN_REFERENCE = (
    "The labels come from a calculator that was given by its import path: what stands here is that calculator's "
    "answer. Whether it is DFT, only who chose it can say."
)
_SURROGATE = (
    "The labels come from a surrogate model, not from DFT: what stands here is that model's answer, with its own "
    "errors (machine-learned surrogates are often too soft, and then conduct too well)."
)


def headline(record: CampaignRecord) -> Markup:
    """Return the verdict as a badge."""
    if record.answer is None:
        return badge("not finished", "plain")
    verdict = text(record.answer.get("verdict"), 40) or "no verdict"
    return badge(verdict, "good" if verdict == "resolved" else "weak")


def answer_section(record: CampaignRecord) -> Markup:
    """Return the answer, or what is known so far."""
    said = {"surrogate": _SURROGATE, "ase": _UNKNOWN_REFERENCE}.get(record.reference)
    notice = None if said is None else tag("p", said, class_="notice")
    if record.answer is None:
        return tag("section", tag("h2", "What is known so far"), *_so_far(record), notice, id="answer")
    answer = record.answer
    reasons = texts(answer.get("reasons"))
    missing = texts(answer.get("missing"))
    resolved = answer.get("verdict") == "resolved"
    better = "What would make the answer better" if resolved else "Why it is not resolved, and what would help"
    quality = text(answer.get("quality"), 20) or "not stated"
    parts = [
        tag("h2", "The answer"),
        *_numbers(record, answer, resolved),
        notice,
        joined([tag("h3", better), bullets(missing, "next")]) if missing else None,
        joined([tag("h3", f"Quality of the numbers: {quality}"), bullets(reasons)]) if reasons else None,
    ]
    return tag("section", *parts, id="answer")


def _numbers(record: CampaignRecord, answer: Mapping[str, Any], resolved: bool) -> list[Markup]:
    """Return the numbers that the campaign was asked for, and what they rest on."""
    if is_about_barriers(record):
        return [barrier_cards(answer), tag("p", barrier_sentence(answer, resolved))]
    if is_about_an_interface(record):
        return [interface_cards(answer), tag("p", interface_sentence(answer, resolved))]
    cards = _cards({key: interval(answer.get(key)) for key, *_ in _QUANTITIES})
    return [cards, tag("p", _sentence(record, resolved))]


def _cards(found: Mapping[str, Interval | None]) -> Markup:
    cards = []
    for key, long_name, short, unit in _QUANTITIES:
        one = found.get(key)
        bounds = "" if one is None else bounds_text(one)
        cards.append(
            tag(
                "div",
                tag("dt", long_name, tag("abbr", f" {short}")),
                tag("dd", tag("b", value_text(one)), f" {unit}" if one is not None else "", class_="value"),
                tag("dd", _confidence(one, bounds), class_="bounds"),
            )
        )
    return tag("dl", *cards, class_="cards")


def _confidence(found: Interval | None, bounds: str) -> str:
    if found is None:
        return "not known"
    return f"{100 * found.confidence:g} % interval {bounds}" if bounds else "no interval, only a limit or a bare number"


def _sentence(record: CampaignRecord, resolved: bool) -> str:
    answer = mapping(record.answer)
    n_labels = number(mapping(answer.get("labels")).get("n_labelled"))
    calls = number(mapping(answer.get("labels")).get("n_reference_calls"))
    learnt = "" if n_labels is None else f", learnt from {n_labels:g} labels"
    learnt += "" if calls is None else f" ({calls:g} calls of the reference in all)"
    said = "It stands within the stated intervals." if resolved else "It should not be used as it stands; see below."
    kelvin = [t for t in (number(mapping(row).get("temperature_k")) for row in items(answer.get("temperatures"))) if t]
    span = f" at {min(kelvin):g} to {max(kelvin):g} K" if kelvin else ""
    return f"From dynamics{span} of a potential{learnt}, carried to 300 K by the Arrhenius line. {said}"


def _so_far(record: CampaignRecord) -> list[Markup | None]:
    last = record.last_round
    if not last:
        return [tag("p", "The campaign has begun; no round is on disk yet.")]
    number_of, state = text(last.get("number"), 6), text(last.get("state"), 30)
    total = next(
        (n for n in (number(mapping(r.get("labels")).get("n_total")) for r in reversed(record.rounds)) if n), 0
    )
    lines: list[Markup | None] = [
        tag("p", f"Round {number_of} ({state or 'state not known'}), {total:g} labels. There is no answer yet.")
    ]
    decision = mapping(next((r.get("decision") for r in reversed(record.rounds) if mapping(r.get("decision"))), None))
    if decision.get("end") or decision.get("stop"):
        lines.append(
            tag("p", "Learning has ended; what the answer rests on is running, or waits for the same command.")
        )
    probe = mapping(next((r.get("probe") for r in reversed(record.rounds) if mapping(r.get("probe"))), None))
    if probe and is_about_barriers(record):
        lines += [
            tag("p", "By the bands of the last probe, with what is left of their forces alone:"),
            barrier_cards(probe),
        ]
    elif probe and is_about_an_interface(record):
        error = written(interval(probe.get("reaction_energy_error_ev_atom")))
        lines.append(tag("p", f"Reaction energies are off by {error} eV/atom on frames that never train."))
    elif probe:
        lines.append(tag("p", "From the short runs of the last probe, with their statistical errors alone:"))
        lines.append(_cards({key: interval(probe.get(key)) for key, *_ in _QUANTITIES[:2]}))
    missing = texts(decision.get("reasons"))
    if missing and not decision.get("stop"):
        lines += [tag("h3", "What is missing before learning stops"), bullets(missing, "next")]
    return lines


def transport_section(record: CampaignRecord, production: Production) -> tuple[Markup | None, list[Figure]]:
    """Return table and plots of transport over temperature, and the plots to be drawn."""
    if is_about_an_interface(record):
        return None, []
    rows = [mapping(row) for row in items(mapping(record.answer).get("temperatures"))]
    rows = sorted(
        (row for row in rows if number(row.get("temperature_k"))), key=lambda row: number(row["temperature_k"]) or 0
    )
    if not rows:
        return None, []
    answer = mapping(record.answer)
    kelvin = [number(row["temperature_k"]) or 0.0 for row in rows]
    energy = interval(answer.get("activation_energy_ev"))
    figures = []
    for name, at_300k, is_conductivity in (
        ("tracer_diffusivity_cm2_s", "diffusivity_300k_cm2_s", False),
        ("conductivity_ms_cm", "conductivity_300k_ms_cm", True),
    ):
        points = [(t, p) for t, p in ((t, interval(row.get(name))) for t, row in zip(kelvin, rows, strict=True)) if p]
        line = ArrheniusPoints([t for t, _ in points], [p for _, p in points], interval(answer.get(at_300k)), energy)
        figures.append(arrhenius_plot(line, conductivity=is_conductivity))
    errors = [{s: number(mapping(row.get("relative_errors")).get(s)) for s in ERROR_SOURCES} for row in rows]
    figures += [error_plot(kelvin, errors), msd_plot(production.lines)]
    drawn = [figure for figure in figures if figure is not None]
    parts = [
        tag("h2", "Transport over temperature"),
        _table(rows, kelvin, errors),
        _apart(answer),
        _haven(answer),
        tag("div", *(shown(figure) for figure in drawn), class_="grid"),
        bullets(production.notes, "notes"),
        _quality(answer),
    ]
    return tag("section", *parts, id="transport"), drawn


def _table(rows: list[Mapping[str, Any]], kelvin: list[float], errors: list[dict[str, float | None]]) -> Markup:
    def percent(value: float | None) -> str:
        return "–" if value is None else f"{100 * value:.1f} %"

    body = [
        (
            f"{t:g}",
            text(row.get("n_runs"), 6) or "–",
            written(interval(row.get("tracer_diffusivity_cm2_s"))),
            written(interval(row.get("conductivity_ms_cm"))),
            *(percent(error[source]) for source in ERROR_SOURCES),
        )
        for t, row, error in zip(kelvin, rows, errors, strict=True)
    ]
    return table(
        ("T (K)", "runs", "D* (cm²/s)", "σ (mS/cm)", *ERROR_SOURCES),
        body,
        "Brackets: 95 % intervals with everything in. Last columns: relative standard errors of D* by their source.",
    )


def _apart(answer: Mapping[str, Any]) -> Markup | None:
    """Say how much each source adds to the error of the answer."""
    rows = []
    for key, long_name, _, unit in _QUANTITIES:
        found = mapping(mapping(answer.get("errors_apart")).get(key))
        values = [number(found.get(source)) for source in ERROR_SOURCES]
        if any(value is not None for value in values):
            shown_unit = unit if key == "activation_energy_ev" else "relative"
            rows.append((f"{long_name} ({shown_unit})", *("–" if v is None else f"{v:.2g}" for v in values)))
    if not rows:
        return None
    return table(("standard error of", *ERROR_SOURCES), rows, "What each source alone adds to the error of the answer.")


def _haven(answer: Mapping[str, Any]) -> Markup | None:
    found = interval(answer.get("haven_ratio"))
    if found is None:
        return None
    said = "below 1: the ions move together, and conduct better than they would one by one"
    return tag("p", f"Haven ratio of all runs together: {written(found)} ({said}).")


def _quality(answer: Mapping[str, Any]) -> Markup | None:
    """List the runs with their verdicts."""
    rows = []
    for one in items(answer.get("trajectories")):
        row = mapping(one)
        rows.append(
            (
                text(row.get("path"), 200) or "–",
                text(row.get("temperature_k"), 10) or "–",
                written(interval(row.get("tracer_diffusivity_cm2_s"))),
                written(interval(row.get("haven_ratio"))),
                text(row.get("quality"), 20),
                "; ".join(texts(row.get("reasons"))),
            )
        )
    if not rows:
        return None
    head = ("trajectory", "T (K)", "D* (cm²/s)", "Haven ratio", "quality", "reasons")
    return tag("details", tag("summary", f"The {len(rows)} runs one by one"), table(head, rows))
