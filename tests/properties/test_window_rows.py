"""Windows of the trajectories that results name, beside the diffusivity of what follows."""

import json

import numpy as np
import pytest

from mlip_sse.cli.main import main
from mlip_sse.errors import FormatError, InputError
from mlip_sse.properties.recipes import load_recipe
from mlip_sse.properties.table import COMPOSITION, Column, PropertyTable
from mlip_sse.properties.window_rows import LONG_TIME, extrapolation_error, window_row, window_table
from mlip_sse.trajectory.model import Trajectory

SPACING_FS, EDGE_A, N_FRAMES = 100.0, 18.0, 700


def write_walk(path, seed, n_frames=N_FRAMES, step_a=0.25):
    """Write a dump of Brownian lithium among still sulphur; D = step²/(2 dt) an axis."""
    rng = np.random.default_rng(seed)
    walk = rng.uniform(0, EDGE_A, (8, 3)) + np.cumsum(rng.normal(0, step_a, (n_frames, 8, 3)), axis=0)
    sulphur = rng.uniform(0, EDGE_A, (4, 3)) + rng.normal(0, 0.05, (n_frames, 4, 3))
    with path.open("w") as stream:
        for frame, rows in enumerate(np.concatenate([walk, sulphur], axis=1).tolist()):
            stream.write(f"ITEM: TIMESTEP\n{frame}\nITEM: NUMBER OF ATOMS\n12\nITEM: BOX BOUNDS pp pp pp\n")
            stream.write(f"0 {EDGE_A}\n" * 3 + "ITEM: ATOMS id element xu yu zu\n")
            named = zip(["Li"] * 8 + ["S"] * 4, rows, strict=True)
            stream.writelines(f"{i} {s} {x:.4f} {y:.4f} {z:.4f}\n" for i, (s, (x, y, z)) in enumerate(named, 1))


@pytest.fixture(scope="module")
def analysed(tmp_path_factory):
    """Return a folder with the results of an analysis of two runs, one too short, and one that is gone."""
    folder = tmp_path_factory.mktemp("analysed")
    write_walk(folder / "a.lammpstrj", 1)
    write_walk(folder / "short.lammpstrj", 2, n_frames=60)
    named = [
        {"path": name, "temperature_k": 600.0, "mobile": "Li", "frame_spacing_fs": SPACING_FS, "composition": "Li2S",
         "reference": "framework:S"}
        for name in ("a.lammpstrj", "short.lammpstrj", "gone.lammpstrj", "a.lammpstrj")
    ]  # fmt: skip
    (folder / "transport.json").write_text(json.dumps({"trajectories": named, "provenance": {}}))
    return folder


def test_a_row_is_a_trajectory_that_the_results_name(analysed):
    said = []
    table = window_table([analysed], 6.0, say=said.append)
    assert table.n_rows == 1
    assert table.texts(COMPOSITION) == ("Li2S",)
    assert table.numbers("temperature_k", "K")[0] == 600.0
    assert table.columns[LONG_TIME].unit == "cm²/s"
    truth = 0.25**2 / (2 * SPACING_FS / 1000) * 1e-4
    error = table.numbers("long_relative_error")[0]
    assert table.numbers(LONG_TIME)[0] == pytest.approx(truth, rel=4 * error)
    early = table.numbers("early_diffusivity_cm2_s")[0]
    assert table.numbers("log10_early_diffusivity_cm2_s")[0] == pytest.approx(np.log10(early))
    assert len(said) == 2
    assert any("gone.lammpstrj" in line for line in said)
    assert any("run longer or ask for a shorter window" in line for line in said)


def test_a_window_does_not_see_what_follows_and_what_follows_not_the_window(analysed):
    whole = Trajectory.read(analysed / "a.lammpstrj", frame_spacing_fs=SPACING_FS)
    row = window_row(whole.in_reference_frame("framework", ("Li",)), 6.0)
    positions = np.array(whole.positions)
    positions[:61] += np.random.default_rng(0).normal(0, 0.3, positions[:61].shape)
    shaken = Trajectory.from_arrays(whole.species, positions, whole.cells[0], SPACING_FS, wrapped=False)
    other = window_row(shaken.in_reference_frame("barycentric", ("Li",)), 6.0)
    assert other["early_diffusivity_cm2_s"] != pytest.approx(row["early_diffusivity_cm2_s"], rel=1e-3)
    # held at rest is the framework in one and all of it in the other, of which the lithium moves a little
    assert other[LONG_TIME] == pytest.approx(row[LONG_TIME], rel=0.4)
    tail = Trajectory.from_arrays(whole.species, positions[:200], whole.cells[0], SPACING_FS, wrapped=False)
    assert LONG_TIME not in window_row(tail, 6.0)  # what follows is shorter than four windows


def test_the_columns_of_the_recipe_are_there(analysed):
    recipe = load_recipe("early_window")
    table = window_table([analysed], 6.0)
    for name in (*recipe.feature_columns, recipe.target.column):
        assert name in table.columns, name
    assert recipe.feature_columns[:2] == ("log10_early_diffusivity_cm2_s", "early_error_decades")
    assert table.columns[recipe.target.column].unit == recipe.target.unit


def test_how_far_the_extrapolation_is():
    texts = np.array(["LiCl", "LiCl", "Li2S", "Li2O"], dtype=object)
    units = {LONG_TIME: "cm²/s", "early_diffusivity_cm2_s": "cm²/s"}
    columns = {COMPOSITION: Column(COMPOSITION, kind="text")} | {
        name: Column(name, unit) for name, unit in units.items()
    }
    values = {
        COMPOSITION: texts,
        LONG_TIME: np.array([1e-6, 1e-6, 1e-5, np.nan]),
        "early_diffusivity_cm2_s": np.array([1e-5, 1e-6, 1e-4, 1e-5]),
    }
    found = extrapolation_error(PropertyTable(columns, values))
    assert (found.n_runs, found.n_materials) == (3, 2)
    assert found.error == pytest.approx(2 / 3)
    assert (found.low, found.high) == pytest.approx((0.5, 1.0))
    values = {**values, LONG_TIME: np.full(4, np.nan)}
    assert extrapolation_error(PropertyTable(columns, values)) is None


def test_the_command_says_what_a_model_has_to_beat(analysed, tmp_path, capsys):
    out = tmp_path / "windows.csv"
    assert main(["properties", "collect", str(analysed), "--window-ps", "6", "--out", str(out)]) == 0
    said = capsys.readouterr()
    assert "the extrapolation alone errs by" in said.out
    assert "on 1 run of 1 material" in said.out
    assert said.err.count("left out:") == 2
    assert out.is_file()


def test_bad_folders_are_one_line(analysed, tmp_path):
    with pytest.raises(InputError, match="found no folder"):
        window_table([tmp_path / "none"], 6.0)
    with pytest.raises(InputError, match="none with a window of 500 ps"):
        window_table([analysed], 500.0)
    (tmp_path / "t.json").write_text('{"trajectories": [{"path": "a.lammpstrj"}]}')
    with pytest.raises(InputError, match="nothing says which material it is"):
        window_table([tmp_path], 6.0)
    (tmp_path / "t.json").write_text("{")
    with pytest.raises(FormatError, match="not JSON"):
        window_table([tmp_path], 6.0)
