"""Figures: what is drawn is what was computed, axes say what they are, and nothing global changes."""

import io
import json
import re
import subprocess
import sys
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from mlip_sse.analysis.analyze import analyze
from mlip_sse.analysis.transport.display.interactive_plots import arrhenius_figure, msd_figure, page_html
from mlip_sse.analysis.transport.display.msd_curves import local_exponent, msd_curves
from mlip_sse.analysis.transport.display.plots import plot_arrhenius, plot_transport
from mlip_sse.analysis.transport.temperature.activation import analyze_arrhenius
from mlip_sse.analysis.transport.transport import Transport
from mlip_sse.trajectory.model import Trajectory
from tests.analysis.trajectory_files import (
    EDGE,
    FRAME_SPACING_FS,
    diffusivity_cm2_s,
    lithium_conductor,
    write_conductor,
)

KELVINS = np.array([500.0, 600.0, 700.0, 900.0])


@pytest.fixture(scope="module")
def result():
    symbols, positions = lithium_conductor(600.0, seed=2)
    cell = np.eye(3) * EDGE
    trajectory = Trajectory.from_arrays(symbols, positions, cell, FRAME_SPACING_FS, wrapped=False, temperature_k=600.0)
    return Transport(mobile="Li").run(trajectory)


@pytest.fixture(scope="module")
def line():
    d = diffusivity_cm2_s(KELVINS)
    return analyze_arrhenius(KELVINS, d, 3e8 * d / KELVINS, diffusivity_errors_cm2_s=0.1 * d)


def drawn(figure):
    FigureCanvasAgg(figure).draw()
    return figure


# Curves


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_local_exponent_of_a_power_law_is_its_power(power):
    times = np.geomspace(0.1, 100.0, 40)
    np.testing.assert_allclose(local_exponent(times, 3.0 * times**power), power, rtol=1e-10)


def test_the_local_exponent_is_unknown_where_nothing_moved():
    assert np.isnan(local_exponent(np.arange(1.0, 6.0), np.zeros(5))).all()


def test_curves_are_in_ps_and_the_charge_is_per_squared_charge(result):
    lithium, charge = msd_curves(result)
    np.testing.assert_allclose(lithium.times_ps, result.species[0].moments.lags * FRAME_SPACING_FS / 1000)
    np.testing.assert_allclose(lithium.msd, result.species[0].moments.msd)
    np.testing.assert_allclose(charge.msd * result.sum_of_squared_charges, result.charge_moments.msd)
    slope = np.diff(lithium.fit)[0] / np.diff(lithium.fit_times_ps)[0]
    # 1 Å²/ps = 1e-4 cm²/s
    assert slope / 6 * 1e-4 == pytest.approx(result.tracer_diffusivity_cm2_s.value)


def test_the_band_is_as_wide_as_independent_runs_scatter():
    """For independent walkers the band of each curve is the scatter of 40 runs, within what 40 runs can tell."""
    curves = []
    for seed in range(40):
        symbols, positions = lithium_conductor(600.0, seed=100 + seed, n_frames=120, n_ions=8)
        cell = np.eye(3) * EDGE
        trajectory = Trajectory.from_arrays(symbols, positions, cell, 100.0, wrapped=False, temperature_k=600.0)
        curves.append(msd_curves(Transport(mobile="Li", n_lags=20).run(trajectory)))
    for which, at in ((0, slice(2, 14)), (1, slice(2, 10))):
        scatter = np.std([run[which].msd for run in curves], axis=0, ddof=1)
        band = np.sqrt(np.nanmean([run[which].errors ** 2 for run in curves], axis=0))
        # the standard deviation of 40 runs is known to 11 %, and neighbouring lags scatter together
        np.testing.assert_allclose(np.median((band / scatter)[at]), 1.0, atol=0.3)


# Figures for print


def test_the_msd_figure_shows_curves_fit_and_numbers(result):
    figure = drawn(plot_transport(result))
    upper, lower, right = figure.axes
    assert (upper.get_xscale(), upper.get_yscale()) == ("log", "log")
    assert upper.get_ylabel() == "mean squared displacement (Å²)"
    assert lower.get_xlabel() == "time (ps)"
    assert "α₂" in right.get_ylabel()
    np.testing.assert_allclose(upper.lines[0].get_ydata(), result.species[0].moments.msd)
    labels = [text.get_text() for text in upper.get_legend().get_texts()]
    assert labels[0].startswith("Li:  D* = ")
    assert labels[-1] == "fit in its window"
    assert upper.get_title(loc="left") == "600 K, 39.9 ps"
    assert upper.get_title(loc="right") == str(result.verdict.quality)
    assert result.plot().axes[0].get_ylabel() == upper.get_ylabel()


def test_the_legend_covers_no_curve(result):
    figure = drawn(plot_transport(result))
    upper = figure.axes[0]
    box = upper.get_legend().get_window_extent()
    for curve in upper.lines:
        points = upper.transData.transform(np.column_stack([curve.get_xdata(), curve.get_ydata()]))
        assert not any(box.contains(x, y) for x, y in points)


def test_the_arrhenius_figure_marks_points_band_and_300_kelvin(line):
    figure = drawn(plot_arrhenius(line, limits=[(450.0, 1e-8)]))
    diffusivity, conductivity = figure.axes
    assert diffusivity.get_ylabel() == "D* (cm²/s)"
    assert conductivity.get_ylabel() == "σT (S K/cm)"
    assert diffusivity.get_xlabel() == "1000/T (1/K)"
    xs = np.concatenate([np.atleast_1d(curve.get_xdata()) for curve in diffusivity.lines])
    assert np.isclose(xs, 1000 / 300).any()
    assert np.isclose(xs, 1000 / 450).any()
    points = diffusivity.lines[0]
    np.testing.assert_allclose(np.sort(points.get_xdata()), np.sort(1000 / KELVINS))
    np.testing.assert_allclose(
        np.sort(conductivity.lines[0].get_ydata()), np.sort(0.001 * 3e8 * diffusivity_cm2_s(KELVINS))
    )
    words = "".join(text.get_text() for text in diffusivity.texts)
    assert "0.250 (" in words
    assert "D*(300 K)" in words
    (top,) = diffusivity.child_axes
    ticks = {label.get_text(): place for label, place in zip(top.get_xticklabels(), top.get_xticks(), strict=True)}
    assert ticks["300"] == pytest.approx(1000 / 300)
    assert line.plot().axes[0].get_ylabel() == "D* (cm²/s)"


def test_kelvin_labels_do_not_overlap(line):
    figure = drawn(plot_arrhenius(line))
    for panel in figure.axes:
        (top,) = panel.child_axes
        boxes = sorted((label.get_window_extent().x0, label.get_window_extent().x1) for label in top.get_xticklabels())
        assert all(right < left for (_, right), (left, _) in pairwise(boxes))


def test_a_refused_line_shows_points_and_says_so():
    refused = analyze_arrhenius([600.0], [1e-6], diffusivity_errors_cm2_s=[1e-7])
    (panel,) = drawn(plot_arrhenius(refused)).axes
    assert [text.get_text() for text in panel.texts] == ["no line: see the reasons"]


def test_figures_ignore_and_leave_alone_the_global_settings(result):
    with mpl.rc_context({"font.size": 30.0, "axes.grid": True}):
        before = dict(mpl.rcParams)
        figure = plot_transport(result)
        assert dict(mpl.rcParams) == before
    assert figure.axes[0].yaxis.label.get_fontsize() == 9.0
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=60)
    assert stream.getvalue().startswith(b"\x89PNG")


def test_what_is_not_needed_is_not_imported(tmp_path):
    path = write_conductor(tmp_path, 600.0, n_frames=60)
    code = (
        "import json, sys\n"
        "import mlip_sse\n"
        f"report = mlip_sse.analyze('transport', {str(path)!r}, temperatures_k=600, frame_spacing_fs=100)\n"
        "heavy = ['pymatgen', 'MDAnalysis', 'ase.io', 'matplotlib', 'plotly', 'rich', 'scipy.stats', 'h5py']\n"
        "first = [name for name in heavy if name in sys.modules]\n"
        "report.plot()\n"
        "print(json.dumps([first, 'matplotlib.pyplot' in sys.modules]))\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert json.loads(found) == [[], False]


# The interactive page


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page") / "</script><b>"  # a folder "<" and one in it
    folder.mkdir(parents=True)
    paths = [write_conductor(folder, kelvin, seed=k) for k, kelvin in enumerate((500.0, 700.0))]
    return analyze("transport", paths, temperatures_k=[500, 700], frame_spacing_fs=FRAME_SPACING_FS)


def test_the_page_holds_all_it_needs_and_asks_for_nothing(report):
    page = page_html(report)
    own = page[page.index("</style>") :]
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=", page)
    assert own.count("<script>") == own.count("</script>") == 2
    for name in ("msd", "diffusivity", "conductivity"):
        assert f'<div class="figure" id="{name}">' in own
        assert f'Plotly.newPlot("{name}"' in own
    assert '"showSendToCloud": false' in own
    assert "&lt;/script&gt;&lt;b&gt;" in own


def test_the_pages_data_are_the_results(report):
    traces = msd_figure(report)["data"]
    lithium = [trace for trace in traces if trace["name"].endswith(": Li") and "fit" not in trace["name"]]
    assert [trace["name"] for trace in lithium] == ["500 K, 500K.extxyz: Li", "700 K, 700K.extxyz: Li"]
    np.testing.assert_allclose(lithium[0]["y"], report.measurements[0].result.species[0].moments.msd)
    points = arrhenius_figure(report.series.arrhenius.diffusivity)["data"][0]
    np.testing.assert_allclose(points["x"], [2.0, 1000 / 700])
    np.testing.assert_allclose(points["y"], [row.diffusivity.value for row in report.measurements])
