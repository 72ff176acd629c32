"""One page to look around in: table, mean squared displacements and Arrhenius plot, with plotly inside the file.

The figures are plain dictionaries in plotly's own format, so that no figure classes are imported and nothing is fetched
when the page is opened.
"""

import html
import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from mlip_sse.analysis.results import to_plain
from mlip_sse.analysis.transport.display.msd_curves import msd_curves
from mlip_sse.analysis.transport.display.plots import CHARGE_COLOUR, COLOURS
from mlip_sse.analysis.transport.display.tables import interval_text
from mlip_sse.analysis.transport.temperature.arrhenius import ROOM_TEMPERATURE_K, ArrheniusFit
from mlip_sse.analysis.transport.temperature.arrhenius_points import Quantity

if TYPE_CHECKING:
    from mlip_sse.analysis.analysis_report import AnalysisReport
    from mlip_sse.analysis.measurement import Measurement

__all__ = ["PLOTLY_CONFIG", "arrhenius_figure", "msd_figure", "page_html"]

_Figure = dict[str, Any]

# Recent versions of plotly show a button that sends the data to a server.
PLOTLY_CONFIG = {"responsive": True, "displaylogo": False, "showSendToCloud": False, "plotlyServerURL": ""}

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Ionic transport</title>
<style>
body {{ font: 15px/1.45 system-ui, sans-serif; color: #222; max-width: 1100px; margin: 2em auto; padding: 0 1em; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; padding: 0.3em 0.7em; border-bottom: 1px solid #ddd; vertical-align: top; }}
td.pass {{ color: #2e7d32; }} td.weak {{ color: #b26a00; }} td.refused {{ color: #b71c1c; }}
.figure {{ height: 520px; margin: 1.5em 0; }}
ul {{ color: #444; }}
footer {{ color: #777; font-size: 13px; margin-top: 2em; }}
</style>
<script>{plotly}</script>
</head>
<body>
<h1>Ionic transport</h1>
<table>
<tr><th>trajectory</th><th>T (K)</th><th>D* (cm²/s)</th><th>σ (mS/cm)</th><th>Haven ratio</th><th>quality</th></tr>
{rows}
</table>
<p>{arrhenius}</p>
{reasons}
{places}
<footer>mlip-sse {version}, {created}; {confidence:g} % intervals in brackets</footer>
<script>
{drawn}
</script>
</body>
</html>
"""


def page_html(report: "AnalysisReport") -> str:
    """Return a page that needs no network: HTML with plotly and all data inside.

    Parameters
    ----------
    report
        Of `mlip_sse.analysis.analyze.analyze`.
    """
    from plotly.offline import get_plotlyjs

    from mlip_sse.analysis.transport.display.tables import arrhenius_line

    figures = {"msd": msd_figure(report), **_arrhenius_figures(report)}
    shown = {name: figure for name, figure in figures.items() if figure["data"]}
    return _PAGE.format(
        plotly=get_plotlyjs(),
        rows="\n".join(_row(row) for row in report.measurements),
        arrhenius=html.escape(arrhenius_line(report).plain),
        reasons=_reasons(report),
        places="\n".join(f'<div class="figure" id="{name}"></div>' for name in shown),
        version=html.escape(report.provenance.version),
        created=html.escape(report.provenance.created),
        confidence=100 * report.recipe.confidence,
        drawn="\n".join(_drawn(name, figure) for name, figure in shown.items()),
    )


def msd_figure(report: "AnalysisReport") -> _Figure:
    """Return the mean squared displacements of all trajectories as a plotly figure; the charge is shown on request."""
    traces: list[dict[str, Any]] = []
    results = [(row, row.result) for row in report.measurements if row.result is not None]
    for number, (row, result) in enumerate(results):
        for curve in msd_curves(result):
            charge = curve.name == "charge"
            colour = _series_colour(number, len(results))
            kelvin = "" if row.temperature_k is None else f"{row.temperature_k:g} K, "
            name = f"{kelvin}{os.path.basename(row.path)}: {curve.name}"
            look = {"legendgroup": name, "visible": "legendonly" if charge else True}
            traces.append(
                {
                    **_line(curve.times_ps, curve.msd, colour, "dot" if charge else "solid"),
                    **look,
                    "name": name,
                    "customdata": np.column_stack([curve.errors, curve.exponent]),
                    "hovertemplate": "%{x:.4g} ps: %{y:.4g} ± %{customdata[0]:.2g} Å², exponent %{customdata[1]:.2f}",
                }
            )
            if curve.fit_times_ps.size:
                fit = _line(curve.fit_times_ps, curve.fit, "black", "dash")
                traces.append({**fit, **look, "name": f"fit, {name}", "showlegend": False, "hoverinfo": "skip"})
    layout = _layout("time (ps)", "mean squared displacement (Å²)")
    layout["xaxis"] |= {"type": "log", "dtick": 1}
    return {"data": traces, "layout": layout}


def arrhenius_figure(fit: ArrheniusFit) -> _Figure:
    """Return points, line and band of one fit as a plotly figure."""
    points, diffusivity = fit.observations, fit.quantity is Quantity.DIFFUSIVITY
    colour = COLOURS[0] if diffusivity else CHARGE_COLOUR
    factor = np.ones_like(points.values) if diffusivity else points.temperatures_k / 1000.0
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": "simulated",
            "x": 1000.0 / points.temperatures_k,
            "y": points.values * factor,
            "customdata": points.temperatures_k,
            "marker": {
                "color": colour,
                "size": 9,
                "symbol": ["circle" if used else "circle-open" for used in fit.used],
            },
            "hovertemplate": "%{customdata:g} K: %{y:.4g}",
        }
    ]
    if fit.line is not None:
        used = points.temperatures_k[fit.used]
        coldest = min(float(used.min()), ROOM_TEMPERATURE_K) if fit.value_300k is not None else float(used.min())
        kelvin = np.clip(1.0 / np.linspace(1.0 / used.max(), 1.0 / coldest, 100), *fit.valid_k)
        curve = fit.curve(kelvin)
        scale = np.ones_like(kelvin) if diffusivity else kelvin / 1000.0
        x = 1000.0 / kelvin
        band = {"hoverinfo": "skip", "showlegend": False}
        traces += [
            {**_line(x, curve.low * scale, colour, "solid", 0.0), **band},
            {
                **_line(x, curve.high * scale, colour, "solid", 0.0),
                **band,
                "fill": "tonexty",
                "fillcolor": f"{colour}26",
            },
            {
                **_line(x, curve.value * scale, colour, "solid"),
                "name": "Arrhenius line",
                "customdata": kelvin,
                "hovertemplate": "%{customdata:.0f} K: %{y:.4g}",
            },
        ]
    return {"data": traces, "layout": _layout("1000/T (1/K)", "D* (cm²/s)" if diffusivity else "σT (S K/cm)")}


def _arrhenius_figures(report: "AnalysisReport") -> dict[str, _Figure]:
    fitted = report.series.arrhenius
    fits = {} if fitted is None else {"diffusivity": fitted.diffusivity, "conductivity": fitted.conductivity}
    return {name: arrhenius_figure(fit) for name, fit in fits.items() if fit is not None}


def _line(x: Any, y: Any, colour: str, dash: str, width: float = 2.0) -> dict[str, Any]:
    return {"type": "scatter", "mode": "lines", "x": x, "y": y, "line": {"color": colour, "dash": dash, "width": width}}


def _series_colour(number: int, total: int) -> str:
    """Go from blue (first) to red (last), dark enough on white."""
    share = 0.0 if total < 2 else number / (total - 1)
    return f"hsl({240 - 240 * share:.0f}, 75%, 42%)"


def _layout(x_title: str, y_title: str) -> dict[str, Any]:
    line = {"showline": True, "mirror": True, "linecolor": "#444", "ticks": "inside", "gridcolor": "#eee"}
    return {
        "xaxis": {"title": {"text": x_title}, **line},
        "yaxis": {"title": {"text": y_title}, "type": "log", "dtick": 1, "exponentformat": "power", **line},
        "plot_bgcolor": "white",
        "margin": {"l": 80, "r": 20, "t": 20, "b": 60},
        "hovermode": "closest",
    }


def _row(row: "Measurement") -> str:
    kelvin = "?" if row.temperature_k is None else f"{row.temperature_k:g}"
    names = ("tracer_diffusivity_cm2_s", "conductivity_ms_cm", "haven_ratio")
    cells = [row.path, kelvin, *(interval_text(row.interval(name)) for name in names)]
    quality = row.verdict.quality
    written = "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
    return f'<tr>{written}<td class="{quality}">{quality}</td></tr>'


def _reasons(report: "AnalysisReport") -> str:
    reasons = [f"line: {reason}" for reason in report.series.verdict.reasons]
    reasons += [f"{row.label}: {reason}" for row in report.measurements for reason in row.verdict.reasons]
    reasons += [f"next: {plan}" for plan in report.series.plans]
    return "<ul>" + "".join(f"<li>{html.escape(reason)}</li>" for reason in reasons) + "</ul>" if reasons else ""


def _drawn(name: str, figure: _Figure) -> str:
    # "</script>" inside a string would end the script, whatever stands around it.
    data, layout = (
        json.dumps(to_plain(figure[key]), allow_nan=False).replace("</", "<\\/") for key in ("data", "layout")
    )
    return f'Plotly.newPlot("{name}", {data}, {layout}, {json.dumps(PLOTLY_CONFIG)});'
