"""Where everything came from: spec, reference, potential, versions, and every file of the campaign."""

import json
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from mlip_sse.analysis.results import to_plain
from mlip_sse.report.campaign_record import CampaignRecord
from mlip_sse.report.markup import Markup, table, tag
from mlip_sse.report.untrusted import items, mapping, text, texts

__all__ = ["origin_section"]

_MOST_SPEC_CHARACTERS = 20_000


def origin_section(record: CampaignRecord, *, linked: bool) -> Markup:
    """Return provenance and files.

    Parameters
    ----------
    record
        Of the campaign.
    linked
        Whether the page lies in the campaign's folder, so that paths can be followed.
    """
    parts = [
        tag("h2", "Where it came from"),
        table(("what", "found"), _facts(record)),
        _spec(record),
        _provenance(mapping(mapping(record.answer).get("provenance"))),
        _files(record, linked),
    ]
    return tag("section", *parts, id="origin")


def _facts(record: CampaignRecord) -> list[tuple[str, str]]:
    card, last = record.card, mapping(record.last_round.get("potential"))
    fingerprint = mapping(card.get("fingerprint"))
    reference = mapping(record.spec.get("reference"))
    code = " ".join(text(fingerprint.get(key), 60) for key in ("code", "code_version", "model")).strip()
    labels = ", ".join(
        part for part in (text(fingerprint.get("method"), 40), code, text(fingerprint.get("functional"), 60)) if part
    )
    facts = [
        ("campaign", text(record.spec.get("description")) or record.title),
        ("spec (sha256)", text(record.state.get("spec_sha256"), 64)),
        ("written by", f"mlip-sse {text(record.state.get('version'), 40)}".strip()),
        ("labels by", labels or text(reference.get("kind"), 40)),
        (
            "potential",
            f"{text(card.get('name'), 80) or text(last.get('name'), 80)} {text(card.get('family'), 20)}".strip(),
        ),
        ("where it holds", _domain(card)),
        ("licence", text(card.get("licence"), 200)),
        ("methods", "; ".join(texts(card.get("references")))),
    ]
    return [(name, found) for name, found in facts if found]


def _domain(card: Mapping[str, Any]) -> str:
    elements = " ".join(texts(card.get("elements")))
    spans = []
    for key, unit in (("temperature_k", "K"), ("pressure_gpa", "GPa")):
        ends = texts(card.get(key))
        if len(ends) == 2:
            spans.append(f"{ends[0]} to {ends[1]} {unit}")
    return ", ".join(part for part in (elements, *spans) if part)


def _spec(record: CampaignRecord) -> Markup | None:
    if not record.spec_text:
        return None
    written = record.spec_text[:_MOST_SPEC_CHARACTERS]
    return tag("details", tag("summary", "The spec (spec.yaml)"), tag("pre", tag("code", written)))


def _provenance(found: Mapping[str, Any]) -> Markup | None:
    if not found:
        return None
    inputs = [mapping(one) for one in items(found.get("inputs"))]
    rows = [(text(one.get("path"), 200), text(one.get("sha256"), 64)) for one in inputs[:200]]
    try:
        settings = json.dumps(to_plain(mapping(found.get("settings"))), indent=1, ensure_ascii=False)[
            :_MOST_SPEC_CHARACTERS
        ]
    except (RecursionError, ValueError):
        settings = ""
    said = f"mlip-sse {text(found.get('version'), 40)}, {text(found.get('created'), 40)}"
    return tag(
        "details",
        tag("summary", "How the answer was made"),
        tag("p", said),
        table(("input", "sha256"), rows) if rows else None,
        tag("pre", tag("code", settings)) if settings not in ("", "{}") else None,
    )


def _files(record: CampaignRecord, linked: bool) -> Markup | None:
    if not record.files:
        return None
    rows = []
    for file in record.files:
        shown = text(file.path, 300)
        # Quoting leaves no colon: a name like a protocol's stays a name.
        name: str = tag("a", shown, href="./" + quote(os.fsencode(file.path))) if linked else shown
        rows.append((name, f"{file.n_files}", _size(file.size_bytes)))
    rest = f", {record.n_unlisted} more not listed" if record.n_unlisted else ""
    said = f"Every file, seen from the campaign's folder ({len(rows)} entries{rest})"
    return tag("details", tag("summary", said), table(("path", "files", "size"), rows))


def _size(size: float) -> str:
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"
