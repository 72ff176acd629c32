"""One page about mechanism or structure: numbers, figures and the three-dimensional scenes, nothing fetched."""

import base64
import html
import io
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mlip_sse.analysis.finding_display import number_text
from mlip_sse.analysis.finding_files import named_findings
from mlip_sse.analysis.findings import Finding, Number
from mlip_sse.analysis.results import to_plain
from mlip_sse.analysis.transport.display.interactive_plots import PLOTLY_CONFIG

if TYPE_CHECKING:
    from mlip_sse.analysis.finding_report import FindingReport

__all__ = ["page_html"]

_DPI = 110
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 15px/1.45 system-ui, sans-serif; color: #222; max-width: 1100px; margin: 2em auto; padding: 0 1em; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; }}
th, td {{ text-align: left; padding: 0.3em 0.9em 0.3em 0; border-bottom: 1px solid #ddd; vertical-align: top; }}
td.pass {{ color: #2e7d32; }} td.weak {{ color: #b26a00; }} td.refused {{ color: #b71c1c; }}
.scene {{ height: 620px; margin: 1em 0 2em; }}
img {{ max-width: 100%; }}
ul {{ color: #444; }}
footer {{ color: #777; font-size: 13px; margin-top: 2em; }}
</style>
{script}
</head>
<body>
<h1>{title}</h1>
<div class="wide"><table>
{table}
</table></div>
{reasons}
{together}
{figures}
<footer>mlip-sse {version}, {created}; {confidence:g} % intervals in brackets</footer>
<script>
{drawn}
</script>
</body>
</html>
"""


def page_html(report: "FindingReport") -> str:
    """Return a page that needs no network: HTML with figures, and plotly where there is a scene, inside."""
    findings = named_findings(report)
    scenes = {
        f"scene{number}": scene
        for number, scene in enumerate(
            (name, title, scene) for name, finding in findings.items() for title, scene in _scenes(finding).items()
        )
    }
    return _PAGE.format(
        title=html.escape(report.kind.replace("_", " ").capitalize()),
        script=_plotly() if scenes else "",
        table=_table(report),
        reasons=_bullets(f"{row.label}: {reason}" for row in report.rows for reason in row.verdict.reasons),
        together=_together(report.together),
        figures="\n".join(
            [*_pictures(findings), *(_place(key, name, title) for key, (name, title, _) in scenes.items())]
        ),
        version=html.escape(report.provenance.version),
        created=html.escape(report.provenance.created),
        confidence=100 * report.recipe.confidence,
        drawn="\n".join(_drawn(key, scene) for key, (_, _, scene) in scenes.items()),
    )


def _scenes(finding: Finding) -> Mapping[str, Any]:
    return {} if finding.scenes is None else finding.scenes()


def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return f"<script>{get_plotlyjs()}</script>"


def _table(report: "FindingReport") -> str:
    head = "".join(f"<th>{html.escape(row.label)}</th>" for row in report.rows)
    lines = [f"<tr><th></th>{head}</tr>"]
    for name in report.names:
        numbers = (None if row.finding is None else row.finding.numbers.get(name) for row in report.rows)
        lines.append(_line(name, numbers))
    qualities = "".join(f'<td class="{row.verdict.quality}">{row.verdict.quality}</td>' for row in report.rows)
    return "\n".join([*lines, f"<tr><th>quality</th>{qualities}</tr>"])


def _line(name: str, numbers: Iterable[Number]) -> str:
    cells = "".join(f"<td>{html.escape(number_text(number))}</td>" for number in numbers)
    return f"<tr><th>{html.escape(name)}</th>{cells}</tr>"


def _together(finding: Finding | None) -> str:
    if finding is None:
        return ""
    rows = "\n".join(_line(name, (number,)) for name, number in finding.numbers.items())
    quality = finding.verdict.quality
    rows += f'\n<tr><th>quality</th><td class="{quality}">{quality}</td></tr>'
    return f"<h2>All temperatures</h2>\n<table>\n{rows}\n</table>\n{_bullets(finding.verdict.reasons)}"


def _bullets(lines: Iterable[str]) -> str:
    items = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def _pictures(findings: Mapping[str, Finding]) -> list[str]:
    pictures = []
    for name, finding in findings.items():
        if finding.plot is None:
            continue
        stream = io.BytesIO()
        finding.plot().savefig(stream, format="png", dpi=_DPI)
        data = base64.b64encode(stream.getvalue()).decode()
        words = html.escape(name)
        pictures.append(f'<h2>{words}</h2>\n<img alt="figure of {words}" src="data:image/png;base64,{data}">')
    return pictures


def _place(key: str, name: str, title: str) -> str:
    return f'<h2>{html.escape(title)}, {html.escape(name)}</h2>\n<div class="scene" id="{key}"></div>'


def _drawn(key: str, scene: Any) -> str:
    figure = scene.to_plotly_json() if hasattr(scene, "to_plotly_json") else scene
    # "</script>" inside a string would end the script, whatever stands around it
    data, layout = (
        json.dumps(to_plain(figure.get(part, {})), allow_nan=False).replace("</", "<\\/") for part in ("data", "layout")
    )
    return f'Plotly.newPlot("{key}", {data}, {layout}, {json.dumps(PLOTLY_CONFIG)});'
