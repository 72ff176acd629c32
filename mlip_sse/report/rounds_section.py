"""How the potential was learnt: a table of rounds, the plots of learning, and the criteria by which it ended."""

from collections.abc import Mapping, Sequence
from typing import Any

from mlip_sse.report.accuracy_figures import coverage_plot, error_history_plot, parity_plots
from mlip_sse.report.campaign_record import CampaignRecord
from mlip_sse.report.figure import Figure, shown
from mlip_sse.report.markup import Markup, badge, bullets, joined, table, tag
from mlip_sse.report.round_figures import (
    STAGES,
    cost_plot,
    histogram_plot,
    label_plot,
    looks_of,
    round_name,
    segment_plot,
)
from mlip_sse.report.untrusted import items, mapping, number, numbers, text, texts

__all__ = ["rounds_section"]

_PROMISED_COVERAGE = 0.9


def rounds_section(record: CampaignRecord) -> tuple[Markup | None, list[Figure]]:
    """Return the section of learning and its plots; nothing where there is no round."""
    if not record.rounds:
        return None, []
    rounds = record.rounds
    conformal = mapping(mapping(record.card.get("uncertainty")).get("conformal"))
    promised = number(conformal.get("coverage")) or _PROMISED_COVERAGE
    figures = [
        label_plot(rounds),
        cost_plot(rounds),
        error_history_plot(rounds, record.mobile),
        segment_plot(rounds),
        *_histograms(rounds),
        coverage_plot(rounds, promised),
    ]
    drawn = [figure for figure in figures if figure is not None]
    parity = parity_plots(next((r for r in reversed(rounds) if mapping(r.get("parity"))), {}), record.mobile)
    parts = [
        tag("h2", "How it was learnt"),
        _table(record),
        _criteria(record),
        tag("div", *(shown(figure) for figure in drawn), class_="grid"),
        tag("h3", "Forces, held-out frames of the last fit") if parity else None,
        tag("div", *(shown(figure) for figure in parity), class_="grid small") if parity else None,
        _failures(record),
    ]
    return tag("section", *parts, id="rounds"), [*drawn, *parity]


def _table(record: CampaignRecord) -> Markup:
    return table(
        (
            "round",
            "state",
            "labels",
            "failed",
            "in all",
            "runs at their end",
            "alarms",
            "force RMSE (meV/Å)",
            "wall time",
        ),
        [_row(one) for one in record.rounds],
        "Alarms: share of looks above the alarm. Force RMSE: on frames that never train, after the fit.",
    )


def _row(round_: Mapping[str, Any]) -> tuple[str, ...]:
    labels = mapping(round_.get("labels"))
    runs = [mapping(one) for one in items(round_.get("exploration"))]
    rmse = number(mapping(mapping(round_.get("errors")).get("force_ev_a")).get("rmse"))
    alarm = _alarm_share(round_)
    seconds = sum(number(mapping(round_.get("wall_s")).get(stage)) or 0.0 for stage in STAGES)

    def whole(key: str) -> str:
        value = number(labels.get(key))
        return "–" if value is None else f"{value:.0f}"

    return (
        text(round_.get("number"), 6) or "?",
        text(round_.get("state"), 20) or "–",
        whole("n_labelled"),
        whole("n_failed"),
        whole("n_total"),
        f"{sum(not one.get('ended') for one in runs)} of {len(runs)}" if runs else "–",
        "–" if alarm is None or not runs else f"{100 * alarm:.1f} %",
        "–" if rmse is None else f"{1000 * rmse:.1f}",
        f"{seconds / 60:.1f} min" if seconds >= 90 else f"{seconds:.0f} s",
    )


def _histograms(rounds: Sequence[Mapping[str, Any]]) -> list[Figure | None]:
    """Return how far from home the potential was used: grades, bounds on the error, and spreads of the committee."""
    names = [round_name(one) for one in rounds]
    spreads = [numbers(mapping(one.get("selection")).get("spreads_ev_a")) for one in rounds]
    return [
        histogram_plot(
            list(zip(names, (looks_of(one, "grade") for one in rounds), strict=True)),
            "extrapolation grade",
            "grades",
            "Extrapolation grades met in exploration, largest of a frame.",
        ),
        histogram_plot(
            list(zip(names, (looks_of(one, "error_bound_ev_a") for one in rounds), strict=True)),
            "bound on the force error (eV/Å)",
            "bounds",
            "Calibrated bounds on the force error of the frames met, largest of a frame.",
        ),
        histogram_plot(
            list(zip(names, spreads, strict=True)),
            "spread of the committee (eV/Å)",
            "spreads",
            "Spread of the committee's forces on the mobile ions and their shell, for the frames met before a break.",
        ),
    ]


def _alarm_share(round_: Mapping[str, Any]) -> float | None:
    """Return the share of looks whose grade was above the alarm, counted where the round does not say it."""
    said = number(round_.get("alarm_share"))
    if said is not None:
        return said
    found = looks_of(round_, "excess")
    return float((found > 1.0).mean()) if found.size else None


def _criteria(record: CampaignRecord) -> Markup | None:
    decided = next((r for r in reversed(record.rounds) if mapping(r.get("decision"))), None)
    if decided is None:
        return None
    decision = mapping(decided.get("decision"))
    rows = []
    for one in items(decision.get("criteria")):
        found = mapping(one)
        met = found.get("met") is True
        state = badge("holds", "good") if met else badge("missing", "weak")
        rows.append((text(found.get("name"), 80), state, text(found.get("found")), text(found.get("wanted"))))
    ended = "Learning stopped by itself."
    if decision.get("stop") is not True:
        by_budget = decision.get("end") is True or record.answer is not None
        ended = "Learning was ended by its budget, not by its criteria." if by_budget else "Learning goes on."
    return joined(
        [
            tag("h3", f"When it stops: after round {text(decided.get('number'), 6)}"),
            tag("p", ended),
            table(("criterion", "state", "found", "wanted"), rows) if rows else None,
            None if rows else bullets(texts(decision.get("reasons"))),
        ]
    )


def _failures(record: CampaignRecord) -> Markup | None:
    rows = [
        (text(one.get("number"), 6), text(mapping(found).get("frame"), 80), text(mapping(found).get("reason")))
        for one in record.rounds
        for found in items(mapping(one.get("labels")).get("failures"))[:50]
    ]
    if not rows:
        return None
    head = ("round", "frame", "reason")
    return tag(
        "details", tag("summary", f"Labels that failed: {len(rows)}; none of them is in the dataset"), table(head, rows)
    )
