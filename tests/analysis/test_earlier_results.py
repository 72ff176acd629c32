"""The recipe arrhenius: from trajectories, from what an earlier call wrote or printed, and from tables of others."""

import numpy as np
import pytest

from mlip_sse.analysis.analyze import analyze
from mlip_sse.analysis.earlier_results import estimate_of_interval
from mlip_sse.analysis.recipes import load_recipe
from mlip_sse.analysis.results import Estimate
from mlip_sse.analysis.transport.temperature.reported import nernst_einstein_factor
from mlip_sse.errors import InputError
from tests.analysis.trajectory_files import ACTIVATION_ENERGY_EV, FRAME_SPACING_FS, TEMPERATURES, files


def test_one_temperature_is_refused(folder):
    with pytest.raises(InputError, match=r"it needs at least two temperatures, found one temperature \(600 K\)"):
        analyze("arrhenius", folder / "600K.extxyz", temperatures_k=600, frame_spacing_fs=FRAME_SPACING_FS)


def test_trajectories_and_their_saved_results_give_the_same_line(report, folder, saved):
    direct = analyze("arrhenius", files(folder), temperatures_k=TEMPERATURES, frame_spacing_fs=FRAME_SPACING_FS)
    assert direct.to_dict() == report.to_dict()
    reread = analyze("arrhenius", saved[0] / "transport.json")
    assert reread.to_dict() == report.to_dict()
    assert reread.series.plans == report.series.plans


def test_printed_json_gives_the_same_values_and_nearly_the_same_intervals(report, tmp_path):
    (tmp_path / "printed.json").write_text(report.to_json())
    printed = analyze("arrhenius", tmp_path / "printed.json").series.arrhenius
    exact = report.series.arrhenius
    # intervals hold the t quantile; taken for variance it shifts weights a little
    assert printed.activation_energy_ev.value == pytest.approx(exact.activation_energy_ev.value, abs=0.01)
    assert printed.activation_energy_ev.low < ACTIVATION_ENERGY_EV < printed.activation_energy_ev.high


def test_a_table_is_fitted_as_it_stands_and_our_own_table_can_be_read(report, saved, tmp_path):
    (tmp_path / "D.csv").write_text("# from a paper\nT,D,D_error\n500,1e-6,1e-7\n600,3e-6,2e-7\n700,7e-6,5e-7\n")
    table = analyze("arrhenius", tmp_path / "D.csv")
    assert [row.temperature_k for row in table.measurements] == [500.0, 600.0, 700.0]
    slope = np.polyfit(1 / (8.617333262e-5 * np.array([500, 600, 700])), np.log([1e-6, 3e-6, 7e-6]), 1, w=[10, 15, 14])
    assert table.series.arrhenius.activation_energy_ev.value == pytest.approx(-slope[0], rel=1e-6)
    assert table.to_dict()["arrhenius"]["conductivity_300k_ms_cm"] is None
    own = analyze("arrhenius", saved[0] / "transport.csv").series.arrhenius.activation_energy_ev
    assert own.value == pytest.approx(report.series.arrhenius.activation_energy_ev.value, abs=0.01)


def test_a_density_of_ions_turns_a_table_into_a_conductivity(tmp_path):
    (tmp_path / "D.csv").write_text("T,D,D_error\n500,1e-6,1e-7\n600,3e-6,2e-7\n700,7e-6,5e-7\n")
    recipe = load_recipe("arrhenius", number_density=0.02, charge=1.0)
    plain = analyze(recipe, tmp_path / "D.csv").to_dict()["arrhenius"]
    ratio = plain["conductivity_300k_ms_cm"]["value"] / plain["diffusivity_300k_cm2_s"]["value"]
    assert ratio == pytest.approx(nernst_einstein_factor(0.02, 1.0, 300.0))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("D.csv", "T,sigma\n500,1\n", "the header is 'T,sigma', expected columns T"),
        ("D.csv", "", "found 0 bytes"),
        ("D.csv", "T,D\n", "no row under the header"),
        ("D.csv", "T,D\n500,1e-6\n600,-2e-6\n", "row 2: D is '-2e-6', expected a positive number"),
        ("D.csv", "T,D\n500,1e-6\n600\n", "row 2: D is ''"),
        ("D.csv", "T,D,D_error\n500,1e-6,1e-7\n600,2e-6,\n", "found 1 standard errors for 2 values"),
        ("D.csv", "T,D\n500,1e-6\n", "at least two temperatures, found one"),
        ("D.json", "{", "not JSON"),
        ("D.json", "[1, 2]", "no 'trajectories' in it"),
        ("D.json", '{"trajectories": [{"path": "x"}]}', r"trajectory 0 .* cannot be used: KeyError"),
    ],
)
def test_earlier_results_that_cannot_be_used(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        analyze("arrhenius", tmp_path / name)


def test_a_table_beside_other_results_is_refused(report, tmp_path):
    (tmp_path / "D.csv").write_text("T,D,D_error\n500,1e-6,1e-7\n600,3e-6,2e-7\n")
    (tmp_path / "a.json").write_text(report.to_json())
    with pytest.raises(InputError, match="a table of D beside other results"):
        analyze("arrhenius", [tmp_path / "D.csv", tmp_path / "a.json"])


@pytest.mark.parametrize("relative_variance", [1e-4, 0.01, 0.2])
def test_an_estimate_is_recovered_from_its_interval(relative_variance):
    made = Estimate(3e-6, relative_variance, method="m")
    back = estimate_of_interval(made.interval(0.95))
    assert back.value == made.value
    assert back.relative_variance == pytest.approx(relative_variance, rel=1e-6)


def test_the_published_table_of_llzo(repository):
    path = repository.parent / "shared/data/mogroup_transport/D_T.csv"
    if not path.is_file():
        pytest.skip("shared data mogroup_transport is not beside the checkout")
    report = analyze("arrhenius", path)
    # the published fit has k_B = 8.617e-5 eV/K, 4e-5 below CODATA
    assert report.series.arrhenius.activation_energy_ev.value == pytest.approx(0.258128, abs=2e-5)
    assert report.series.arrhenius.diffusivity_300k_cm2_s.value == pytest.approx(6.80754e-9, rel=1e-6)
    assert str(report.series.verdict.quality) == "pass"
