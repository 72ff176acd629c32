"""Barriers on the page: a card and a table of the hops, energies along each path with the reference beside them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mlip_sse.report.campaign_record import CampaignRecord
from mlip_sse.report.figure import INK, PALETTE, Figure, axes, shown
from mlip_sse.report.markup import Markup, bullets, table, tag
from mlip_sse.report.untrusted import interval, items, mapping, number, numbers, text, texts
from mlip_sse.report.written import bounds_text, value_text, written

__all__ = ["barrier_cards", "barrier_section", "barrier_sentence", "is_about_barriers"]

_MOST_HOPS = 12
_SOURCES = ("convergence", "committee", "reference_check")


def is_about_barriers(record: CampaignRecord) -> bool:
    """Return whether the campaign was asked for barriers."""
    return "barrier" in (mapping(record.answer).get("question"), record.spec.get("question"))


def barrier_cards(found: Mapping[str, Any]) -> Markup:
    """Return a card for each hop of an answer, or of a probe."""
    cards = []
    for at, one in enumerate(items(found.get("hops"))[:_MOST_HOPS], start=1):
        hop = mapping(one)
        barrier, length = interval(hop.get("barrier_ev")), number(hop.get("distance_a"))
        name = f"hop {at}" + ("" if length is None else f" of {length:.2f} Å")
        bounds = "not known" if barrier is None else f"{100 * barrier.confidence:g} % interval {bounds_text(barrier)}"
        value = tag("b", value_text(barrier))
        cards.append(
            tag(
                "div",
                tag("dt", f"Barrier, {name}"),
                tag("dd", value, " eV" if barrier is not None else "", class_="value"),
                tag("dd", bounds, class_="bounds"),
            )
        )
    return tag("dl", *cards, class_="cards") if cards else tag("p", "There is no barrier.")


def barrier_sentence(answer: Mapping[str, Any], resolved: bool) -> str:
    """Return in words what the barriers rest on."""
    labels = mapping(answer.get("labels"))
    learnt, checked = number(labels.get("n_labelled")), number(labels.get("n_checked"))
    said = (
        "They stand within the stated intervals." if resolved else "They should not be used as they stand; see below."
    )
    rest = "" if learnt is None else f" learnt from {learnt:g} labels"
    held = "" if not checked else f", held against {checked:g} labels of the reference along the same paths"
    return f"Barriers of vacancy hops at rest, by climbing-image bands of a potential{rest}{held}. {said}"


def barrier_section(record: CampaignRecord) -> tuple[Markup | None, list[Figure]]:
    """Return the hops one by one, and the plots of their paths; nothing where there is no answer about them."""
    hops = [mapping(one) for one in items(mapping(record.answer).get("hops"))[:_MOST_HOPS]]
    if not hops:
        return None, []
    figures = [_path_plot(at, hop) for at, hop in enumerate(hops, start=1)]
    drawn = [figure for figure in figures if figure is not None]
    doubts = [f"Hop {at}: {reason}" for at, hop in enumerate(hops, start=1) for reason in texts(hop.get("reasons"))]
    parts = [
        tag("h2", "The hops"),
        _table(hops),
        tag("div", *(shown(figure) for figure in drawn), class_="grid") if drawn else None,
        bullets(doubts),
    ]
    return tag("section", *parts, id="hops"), drawn


def _table(hops: list[Mapping[str, Any]]) -> Markup:
    def ev(value: float | None) -> str:
        return "–" if value is None else f"{value:.3f}"

    rows = []
    for at, hop in enumerate(hops, start=1):
        apart = mapping(hop.get("errors_apart"))
        length = number(hop.get("distance_a"))
        rows.append(
            (
                str(at),
                "–" if length is None else f"{length:.3f}",
                text(hop.get("n_equivalent"), 8) or "–",
                written(interval(hop.get("barrier_ev"))),
                written(interval(hop.get("reverse_barrier_ev"))),
                ev(number(hop.get("reference_on_path_ev"))),
                *(ev(number(apart.get(source))) for source in _SOURCES),
                text(hop.get("quality"), 20),
                text(hop.get("band"), 200) or "–",
            )
        )
    head = ("hop", "length (Å)", "equivalent", "barrier (eV)", "back (eV)", "reference on the path (eV)")
    sources = tuple(source.replace("_", " ") for source in _SOURCES)
    return table(
        (*head, *sources, "quality", "images"),
        rows,
        "Brackets: 95 % intervals with everything in. Convergence, committee, reference check: half-widths in eV that "
        "each adds to the barrier.",
    )


def _path_plot(at: int, hop: Mapping[str, Any]) -> Figure | None:
    """Draw the energies along a path, those of the potential and those of the reference at the same images."""
    along, ours, theirs = (numbers(hop.get(key)) for key in ("path_a", "energies_ev", "reference_energies_ev"))
    n = min(len(along), len(ours))
    if n < 3 or not (np.isfinite(along[:n]).all() and np.isfinite(ours[:n]).all()):
        return None
    along, ours = along[:n], ours[:n]
    line = {"type": "scatter", "mode": "lines+markers", "x": along}
    traces: list[dict[str, Any]] = [
        {**line, "y": ours, "name": "potential", "line": {"color": PALETTE[0], "width": 2, "shape": "spline"}}
    ]
    said = ""
    has_reference = len(theirs) == n and np.isfinite(theirs).any()
    if has_reference:
        dots = {"color": INK, "symbol": "diamond-open", "size": 10}
        traces.append({**line, "mode": "markers", "y": theirs, "name": "reference", "marker": dots})
        said = f" Diamonds: the reference at the same images, at most {np.nanmax(np.abs(theirs - ours)):.3f} eV off."
    rows = [
        (f"{x:.3f}", f"{e:.4f}", f"{theirs[k]:.4f}" if has_reference and np.isfinite(theirs[k]) else "–")
        for k, (x, e) in enumerate(zip(along, ours, strict=True))
    ]
    return Figure(
        f"path-{at}",
        f"Energy along the path of hop {at}, from its start.{said}",
        f"Energy along the path of hop {at}: {ours.max():.3f} eV at the top, {ours[-1]:.3f} eV at the end.{said}",
        traces,
        axes("path (Å)", "energy (eV)"),
        head=("path (Å)", "potential (eV)", "reference (eV)"),
        rows=rows,
        height=340,
        title=f"Hop {at}",
    )
