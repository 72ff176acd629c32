"""What every recipe about mechanism or structure shares: rows, refusals, all temperatures together, files and page."""

import csv
import json
from typing import Literal

import numpy as np
import pytest

from mlip_sse import analyze
from mlip_sse.analysis.finding_display import finding_renderables, number_text
from mlip_sse.analysis.findings import Finding
from mlip_sse.analysis.results import Interval, Verdict
from mlip_sse.analysis.trajectory_settings import FindingRecipe
from mlip_sse.errors import InputError
from tests.analysis.trajectory_files import FRAME_SPACING_FS, write_conductor


class Farthest(FindingRecipe):
    """How far the farthest ion goes: small enough to be a test."""

    recipe: Literal["farthest"] = "farthest"

    def measure(self, trajectory):
        if trajectory.n_frames < 100:
            raise InputError(f"found {trajectory.n_frames} frames, expected 100")
        ions = trajectory.indices(self.mobile)
        blocks = np.concatenate(list(trajectory.ion_blocks(ions, np.float64)))
        lengths = np.linalg.norm(blocks[:, :, -1] - blocks[:, :, 0], axis=1)
        low, high = np.quantile(lengths, [0.025, 0.975])
        length = Interval(float(lengths.mean()), float(low), float(high), 0.95, "quantiles of the ions")
        return Finding(
            {"length_a": length, "n_ions": len(ions), "nothing": None},
            Verdict().weaken(f"{len(ions)} ions </script><b>"),
            details={"frames": trajectory.n_frames},
            tables={"by ion": [{"ion": i, "length_a": length} for i, length in enumerate(lengths.tolist())]},
            arrays={"lengths": lengths},
            plot=self._drawn,
            scenes=lambda: {"a cell": {"data": [{"type": "bar", "y": lengths}], "layout": {"title": "</script>"}}},
        )

    @staticmethod
    def _drawn():
        from matplotlib.figure import Figure

        figure = Figure()
        figure.subplots().plot([0, 1])
        return figure

    def compare(self, findings):
        if len(findings) < 2:
            return None
        return Finding({"hottest_k": max(temperature for temperature, _ in findings)})


def _rows(path):
    return list(csv.DictReader(path.read_text().splitlines()))


RECIPE = Farthest(description="a test")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("walkers")
    for kelvin in (600.0, 800.0):
        write_conductor(folder, kelvin)
    write_conductor(folder, 700.0, n_frames=20)
    return folder


@pytest.fixture(scope="module")
def report(folder):
    files = [folder / f"{kelvin}K.extxyz" for kelvin in (600, 700, 800)]
    return analyze(RECIPE, files, temperatures_k=[600, 700, 800], frame_spacing_fs=FRAME_SPACING_FS)


def test_rows_in_order_the_short_file_refused_with_its_reason(report):
    plain = report.to_dict()
    assert list(plain) == ["trajectories", "temperatures"]
    names = ["path", "temperature_k", "mobile", "length_a", "n_ions", "nothing", "quality", "reasons"]
    assert [list(row) for row in plain["trajectories"]] == [names] * 3
    assert [row["quality"] for row in plain["trajectories"]] == ["weak", "refused", "weak"]
    assert plain["trajectories"][1]["reasons"] == ["found 20 frames, expected 100"]
    assert plain["trajectories"][1]["n_ions"] is None
    assert plain["trajectories"][0]["length_a"]["low"] < plain["trajectories"][0]["length_a"]["value"]
    assert json.loads(report.to_json()) == plain


def test_all_temperatures_see_neither_refused_rows_nor_unknown_temperatures(report, folder):
    assert report.to_dict()["temperatures"] == {"hottest_k": 800.0, "quality": "pass", "reasons": []}
    alone = analyze(RECIPE, folder / "600K.extxyz", frame_spacing_fs=FRAME_SPACING_FS)
    assert alone.rows[0].temperature_k is None
    assert alone.to_dict()["temperatures"] is None


def test_where_nothing_can_be_analysed_the_first_error_is_raised(folder):
    with pytest.raises(InputError, match=r"700K.extxyz: found 20 frames, expected 100$"):
        analyze(RECIPE, folder / "700K.extxyz", frame_spacing_fs=FRAME_SPACING_FS)


def test_files_hold_what_the_report_says(report, tmp_path):
    written = report.save(tmp_path / "out")
    names = {path.name for path in written}
    per = {"farthest_600K.png", "farthest_600K.svg", "farthest_600K.npz", "farthest_600K_by_ion.csv"}
    assert names >= {"farthest.json", "farthest.csv", "farthest.html"} | per
    assert {path.name for path in (tmp_path / "out").iterdir()} == names
    whole = json.loads((tmp_path / "out/farthest.json").read_text())
    assert whole["trajectories"][0]["details"] == {"frames": 400}
    assert len(whole["trajectories"][0]["provenance"]["inputs"][0]["sha256"]) == 64
    rows = _rows(tmp_path / "out/farthest.csv")
    assert [row["quality"] for row in rows] == ["weak", "refused", "weak"]
    assert float(rows[0]["length_a_low"]) < float(rows[0]["length_a"]) < float(rows[0]["length_a_high"])
    with np.load(tmp_path / "out/farthest_600K.npz") as arrays:
        by_ion = _rows(tmp_path / "out/farthest_600K_by_ion.csv")
        np.testing.assert_array_equal(arrays["lengths"], [float(row["length_a"]) for row in by_ion])


def test_the_page_escapes_what_it_is_told(report, tmp_path):
    report.save(tmp_path)
    page = (tmp_path / "farthest.html").read_text()
    assert [f'Plotly.newPlot("scene{i}"' in page for i in range(3)] == [True, True, False]
    assert "32 ions &lt;/script&gt;&lt;b&gt;" in page
    assert '"title": "<\\/script>"' in page
    assert page.count('<img alt="figure of ') == 2


def test_the_terminal_shows_all_numbers_and_reasons(report):
    from rich.console import Console

    console = Console(width=160, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    for part in finding_renderables(report):
        console.print(part)
    text = console.export_text()
    for words in ("length_a", "600K", "800K", "found 20 frames, expected 100", "hottest_k", "95 % intervals"):
        assert words in text
    assert number_text(None) == "–"
    assert number_text(3) == "3"
    console.file.close()


def test_a_temperature_that_the_file_contradicts_is_said(folder, tmp_path):
    report = analyze(RECIPE, folder / "600K.extxyz", temperatures_k=650, frame_spacing_fs=FRAME_SPACING_FS)
    assert report.rows[0].temperature_k == 650
    assert report.plot() is not None
    with pytest.raises(InputError, match="found 2 temperatures for 1 trajectory"):
        analyze(RECIPE, folder / "600K.extxyz", temperatures_k=[600, 650], frame_spacing_fs=FRAME_SPACING_FS)
