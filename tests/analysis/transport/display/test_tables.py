"""Numbers as they are printed: bounds share the digits of their value, and a limit is never taken for a value."""

import csv
import io
import math

import numpy as np
import pytest
from rich.console import Console

from mlip_sse.analysis.analyze import analyze
from mlip_sse.analysis.results import Interval
from mlip_sse.analysis.transport.display.tables import csv_text, interval_text, report_renderables
from tests.analysis.trajectory_files import FRAME_SPACING_FS, write_conductor


def interval(value, low, high):
    return Interval(value, low, high, 0.95, "test")


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((1.44e-5, 1.25e-5, 1.68e-5), "1.44e-05 (1.25–1.68)"),
        ((6.81e-9, 2.8e-9, 1.653e-8), "6.81e-09 (2.80–16.53)"),
        ((9.999e-6, 9e-6, 1.1e-5), "1.00e-05 (0.90–1.10)"),
        ((1699.4, 999.1, 3511.2), "1699 (999–3511)"),
        ((98.84, 68.21, 154.52), "98.8 (68.2–154.5)"),
        ((0.2563, 0.1702, 0.3421), "0.256 (0.170–0.342)"),
        ((0.25, -0.1, 0.6), "0.250 (-0.100 to 0.600)"),
        ((16.5, 2e-6, 1.35e8), "16.5 (2.0e-06–1.4e+08)"),
        ((123456.0, 1e5, 2e5), "1.23e+05 (1.00–2.00)"),
        ((0.0, 0.0, 0.5), "0.00 (0.00–0.50)"),
        ((None, 0.0, 1.2e-8), "< 1.20e-08"),
        ((None, 0.0, math.inf), "not resolved"),
        ((None, 91.1, math.inf), "> 91.1"),
        ((1.52e-3, -0.1168, 0.1198), "0.002 (-0.117 to 0.120)"),
        ((1e-6, math.nan, math.nan), "1.00e-06"),
    ],
)
def test_an_interval_in_words(numbers, text):
    assert interval_text(interval(*numbers)) == text


def test_nothing_is_a_dash():
    assert interval_text(None) == "–"


@pytest.mark.parametrize("value", np.geomspace(1e-12, 1e6, 60))
def test_the_printed_value_is_the_value_to_three_digits(value):
    printed = interval_text(interval(value, value, value)).split(" ")[0]
    assert float(printed) == pytest.approx(value, rel=5.1e-3)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("a_folder_with_quite_a_long_name_that_would_not_fit_anywhere")
    paths = [write_conductor(folder, kelvin, seed=k) for k, kelvin in enumerate((500.0, 600.0, 700.0))]
    broken = folder / "broken.extxyz"
    broken.write_text("no trajectory, but [brackets] that a markup language would eat\n")
    return analyze(
        "transport", [*paths, broken], temperatures_k=[500, 600, 700, 800], frame_spacing_fs=FRAME_SPACING_FS
    )


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_the_terminal_shows_every_number_within_its_width(report, width):
    console = Console(width=width, file=io.StringIO(), highlight=False)
    for part in report_renderables(report, width):
        console.print(part)
    text = console.file.getvalue()
    assert max(len(line) for line in text.splitlines()) <= width
    one_line = " ".join(text.split())
    separator = " " if width >= 110 else "\n"
    for row in report.measurements[:3]:
        for piece in interval_text(row.interval("conductivity_ms_cm"), separator).split("\n"):
            assert piece in text
    assert "500K.extxyz" in text
    assert "refused" in text
    assert f"Ea = {interval_text(report.series.arrhenius.activation_energy_ev)} eV" in one_line
    assert "next: conductivity at 300 K" in one_line


def test_the_table_for_other_programs_has_every_bound_and_the_standard_error(report):
    rows = list(csv.DictReader(io.StringIO(csv_text(report))))
    first, estimate = rows[0], report.measurements[0].diffusivity
    assert [row["temperature_k"] for row in rows] == ["500.0", "600.0", "700.0", "800.0"]
    bounds = report.measurements[0].interval("conductivity_ms_cm")
    assert float(first["conductivity_low_ms_cm"]) == bounds.low
    assert float(first["conductivity_high_ms_cm"]) == bounds.high
    error = float(first["tracer_diffusivity_error_cm2_s"])
    assert error == pytest.approx(estimate.value * estimate.relative_variance**0.5)
    assert rows[3]["quality"] == "refused"
    assert rows[3]["tracer_diffusivity_cm2_s"] == ""
    assert "haven_ratio_low" in first
