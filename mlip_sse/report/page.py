"""One page, whole in itself: HTML with style, plotly and data inside, that fetches nothing and runs nothing else.

The policy in its head forbids every connection, and lets only the scripts run whose hashes stand there: what a folder
might smuggle in would not run even if it were not escaped.
"""

import base64
import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np

from mlip_sse.errors import InputError
from mlip_sse.provenance import package_version
from mlip_sse.report.answer_section import answer_section, headline, transport_section
from mlip_sse.report.barrier_section import barrier_section
from mlip_sse.report.campaign_record import CampaignRecord, read_campaign
from mlip_sse.report.cell_figure import cell_plot
from mlip_sse.report.checks_section import checks_section
from mlip_sse.report.figure import Figure, embedded_json, shown
from mlip_sse.report.interface_section import interface_section
from mlip_sse.report.markup import Markup, tag
from mlip_sse.report.origin_section import origin_section
from mlip_sse.report.production import Production, read_production
from mlip_sse.report.rounds_section import rounds_section

__all__ = ["REPORT_FILE", "page_html", "write_report"]

REPORT_FILE = "report.html"
_SECTIONS = {
    "answer": "Answer",
    "transport": "Transport",
    "hops": "Hops",
    "interface": "Interface",
    "rounds": "Learning",
    "teacher": "Teacher",
    "cell": "Cell",
    "origin": "Origin and files",
}


def write_report(
    folder: str | Path, out: str | Path | None = None, progress: Callable[[str], None] | None = None
) -> Path:
    """Write the page of a campaign, finished or not.

    Parameters
    ----------
    folder
        Of the campaign.
    out
        The file; ``report.html`` in the campaign's folder if not given.
    progress
        Called with what is being done.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        When the folder is no campaign's, or the file cannot be written there.
    FormatError
        When a file of the campaign is damaged.
    """
    from mlip_sse.dataset.whole_files import written_whole

    record = read_campaign(folder)
    path = Path(folder) / REPORT_FILE if out is None else Path(out)
    if path.is_dir() or not path.parent.is_dir():
        found = "a folder" if path.is_dir() else f"no folder {path.parent}"
        raise InputError(f"{path}: found {found}, expected the name of a file in a folder that exists")
    production = read_production(record, progress)
    if progress is not None:
        progress("drawing")
    written = page_html(record, production, linked=path.resolve().parent == record.folder)
    with written_whole(path) as stream:
        stream.write(written)
    return path


def page_html(
    record: CampaignRecord, production: Production, *, linked: bool = True, live_state: str | None = None
) -> str:
    """Return the page.

    Parameters
    ----------
    record
        What the folder holds.
    production
        What its trajectories show.
    linked
        Whether the page lies in the campaign's folder, so that paths can be followed.
    live_state
        Makes the page that is served while the campaign runs, which asks its own server for a newer state.
    """
    with np.errstate(all="ignore"):  # what a damaged file holds may overflow; the page then shows nothing there
        sections, figures = _sections(record, production, linked)
    own = [_resource("page.js")] if live_state is None else [_resource("page.js"), _resource("watch.js")]
    scripts = [_plotly(), *own]
    data = {figure.place: {"data": figure.data, "layout": figure.layout} for figure in figures}
    title = f"{record.title}: ionic transport"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_policy(scripts, live_state is not None)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", title),
        tag("style", Markup(_resource("page.css"))),
    )
    links = [tag("li", tag("a", _SECTIONS[name], href=f"#{name}")) for name in sections]
    body = tag(
        "body",
        None if live_state is None else tag("div", "live", id="live", role="status"),
        tag(
            "header",
            tag("h1", record.title, " ", headline(record)),
            tag("p", f"Ionic transport of {record.mobile}: what mlip-sse campaign found, and how far to trust it."),
            tag("nav", tag("ul", *links), aria_label="Sections"),
        ),
        tag("main", *sections.values()),
        tag("footer", f"mlip-sse {package_version()}, page written {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"),
        tag("script", embedded_json(data), type="application/json", id="figures"),
        *(tag("script", Markup(script)) for script in scripts),
    )
    document = tag("html", head, body, lang="en", data_state=live_state)
    return f"<!DOCTYPE html>\n{document}\n"


def _sections(record: CampaignRecord, production: Production, linked: bool) -> tuple[dict[str, Markup], list[Figure]]:
    found: dict[str, Markup] = {"answer": answer_section(record)}
    figures: list[Figure] = []
    parts = {
        "transport": transport_section(record, production),
        "hops": barrier_section(record),
        "interface": interface_section(record),
        "rounds": rounds_section(record),
        "teacher": checks_section(record),
        "cell": _cell_section(record, production),
    }
    for name, (section, drawn) in parts.items():
        if section is not None:
            found[name] = section
            figures += drawn
    found["origin"] = origin_section(record, linked=linked)
    return found, figures


def _cell_section(record: CampaignRecord, production: Production) -> tuple[Markup | None, list[Figure]]:
    if production.cell is None:
        return None, []
    figure = cell_plot(production.cell, production.density, record.mobile)
    return tag("section", tag("h2", "The cell"), shown(figure), id="cell"), [figure]


def _policy(scripts: Sequence[str], live: bool) -> str:
    hashes = " ".join(f"'sha256-{_hash(script)}'" for script in scripts)
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {hashes}",
            "style-src 'unsafe-inline'",
            "img-src data: blob:",
            "connect-src 'self'" if live else "connect-src 'none'",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


@cache
def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


@cache
def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


@cache
def _resource(name: str) -> str:
    return (files("mlip_sse.report") / name).read_text(encoding="utf-8")
