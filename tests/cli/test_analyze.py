"""`mlip-sse analyze`: a table for people, JSON for programs, one line for each thing that can be wrong with a file."""

import json
import struct

import numpy as np
import pytest
import yaml

from tests.analysis.trajectory_files import (
    FRAME_SPACING_FS,
    lithium_conductor,
    write_conductor,
    write_dump,
    write_frames,
)

SPACING = ("--frame-spacing-fs", FRAME_SPACING_FS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    for seed, kelvin in enumerate((500.0, 600.0, 700.0, 800.0)):
        write_conductor(root, kelvin, seed=seed)
    return root


@pytest.fixture
def runs(folder, monkeypatch):
    """Work in the folder with the trajectories and return the arguments that name them all."""
    monkeypatch.chdir(folder)
    kelvins = (500, 600, 700, 800)
    arguments = [f"{kelvin}K.extxyz" for kelvin in kelvins]
    for kelvin in kelvins:
        arguments += ["--temperature", kelvin]
    return [*arguments, *SPACING, "--mobile", "Li"]


# What it prints


def test_a_table_a_line_and_what_to_run_next(program, runs):
    outcome = program("analyze", "transport", *runs)
    assert outcome.code == 0, outcome.err
    assert outcome.err == ""
    for word in ("trajectory", "D* (cm²/s)", "σ (mS/cm)", "Haven ratio", "500K.extxyz", "800K.extxyz"):
        assert word in outcome.out
    one_line = " ".join(outcome.out.split())
    assert "Ea = 0.2" in one_line
    assert "σ(300 K) = " in one_line
    assert "next: conductivity at 300 K to within a factor 2" in one_line


def test_a_terminal_is_told_which_file_is_at_work(program, runs, monkeypatch):
    monkeypatch.setenv("TTY_COMPATIBLE", "1")  # what rich takes for a terminal
    outcome = program("analyze", "transport", *runs)
    assert outcome.code == 0, outcome.err
    assert "analysing 800K.extxyz" in outcome.err
    assert "analysing" not in outcome.out
    assert program("analyze", "transport", *runs, "--json").err == ""


@pytest.mark.parametrize("columns", [80, 120])
def test_the_output_fits_the_terminal(program, runs, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    outcome = program("analyze", "transport", *runs)
    assert max(len(line) for line in outcome.out.splitlines()) <= columns


def test_json_is_the_contract_and_nothing_else(program, runs):
    outcome = program("analyze", "transport", *runs, "--json")
    assert outcome.code == 0
    assert outcome.err == ""
    plain = json.loads(outcome.out)
    assert list(plain) == ["trajectories", "arrhenius"]
    assert [row["path"] for row in plain["trajectories"]] == runs[:4]
    assert plain["arrhenius"]["activation_energy_ev"]["value"] == pytest.approx(0.25, abs=0.03)


def test_one_temperature_has_no_arrhenius(program, folder):
    outcome = program("analyze", "transport", folder / "600K.extxyz", "--temperature", 600, *SPACING, "--json")
    assert json.loads(outcome.out)["arrhenius"] is None


def test_a_folder_of_results_feeds_the_next_call(program, runs, tmp_path):
    runs = ["500K.extxyz", "800K.extxyz", "--temperature", 500, "--temperature", 800, *SPACING]
    written = program("analyze", "transport", *runs, "--out", tmp_path / "out")
    assert written.code == 0
    names = [line.split()[-1].rpartition("/")[2] for line in written.out.splitlines() if line.startswith("wrote ")]
    assert {"transport.json", "transport.csv", "transport.html", "arrhenius.png", "msd_500K.svg"} <= set(names)
    first = json.loads(program("analyze", "transport", *runs, "--json").out)["arrhenius"]
    again = program("analyze", "arrhenius", tmp_path / "out" / "transport.json", "--json")
    assert json.loads(again.out)["arrhenius"] == first


def test_a_recipe_of_ones_own(program, runs, tmp_path):
    path = tmp_path / "wide.yaml"
    path.write_text(yaml.safe_dump({"recipe": "transport", "description": "wide", "confidence": 0.99}))
    rows = json.loads(program("analyze", path, *runs, "--json").out)["trajectories"]
    assert {row["tracer_diffusivity_cm2_s"]["confidence"] for row in rows} == {0.99}


def test_charges_and_several_mobile_species(program, tmp_path):
    symbols, positions = lithium_conductor(700.0, seed=6)
    symbols = ["Na" if number < 16 else symbol for number, symbol in enumerate(symbols)]
    path = write_frames(tmp_path / "mixed.extxyz", symbols, positions)
    both = program(
        "analyze",
        "transport",
        path,
        "--mobile",
        "Li,Na",
        "--temperature",
        700,
        *SPACING,
        "--set",
        "charges=Li=2",
        "--json",
    )
    row = json.loads(both.out)["trajectories"][0]
    assert row["mobile"] == "Li,Na"
    plain = program("analyze", "transport", path, "--mobile", "Li", "--mobile", "Na", "--temperature", 700, *SPACING)
    assert "Na +1 (default oxidation state)" in " ".join(plain.out.split())


def test_dumps_without_elements_are_named_by_type_or_by_a_structure_file(program, tmp_path):
    symbols, positions = lithium_conductor(700.0, seed=7, n_frames=120)
    types = [1 if symbol == "Li" else 2 for symbol in symbols]
    path = write_dump(tmp_path / "typed.lammpstrj", positions, types)
    options = ("--temperature", 700, *SPACING)
    unnamed = program("analyze", "transport", path, *options)
    assert (unnamed.code, unnamed.err.count("\n")) == (2, 1)
    assert "species" in unnamed.err
    named = program("analyze", "transport", path, *options, "--set", "species=1=Li,2=S", "--json")
    assert json.loads(named.out)["trajectories"][0]["quality"] in ("pass", "weak")


# What can be wrong with a file


def base(n_frames=120):
    return lithium_conductor(700.0, seed=9, n_frames=n_frames)


def extxyz(folder, symbols, positions, **options):
    return write_frames(folder / "bad.extxyz", symbols, positions, **options)


def truncated(folder):
    """Cut inside the second frame, so that nothing is left to analyse."""
    path = extxyz(folder, *base())
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:70]))
    return path


def not_a_number(folder):
    path = extxyz(folder, *base())
    lines = path.read_text().splitlines()
    lines[2 + 50 * 40] = "Li nan 0.0 0.0"
    path.write_text("\n".join(lines) + "\n")
    return path


def changed_order(folder):
    symbols, positions = base()
    path = extxyz(folder, symbols, positions)
    lines = path.read_text().splitlines(keepends=True)
    start = 50 * 30 + 2
    lines[start : start + 48] = lines[start : start + 48][::-1]
    path.write_text("".join(lines))
    return path


def no_framework(folder):
    symbols, positions = base()
    return extxyz(folder, symbols[:32], positions[:, :32])


def too_short(folder):
    return extxyz(folder, *base(n_frames=20))


def too_coarse(folder):
    rng = np.random.default_rng(3)
    symbols, positions = base()
    return extxyz(folder, symbols, positions + np.cumsum(rng.normal(0, 4.0, positions.shape), axis=0))


def contradictory_flags(folder):
    symbols, positions = base()
    flags = np.zeros((*positions.shape[:2], 3), dtype=int)
    flags[60:, 5] += 3  # jumps by three cells, which the coordinates do not show
    types = [1 if symbol == "Li" else 2 for symbol in symbols]
    return write_dump(folder / "bad.lammpstrj", positions, types, flags, symbols)


def empty(folder):
    path = folder / "bad.extxyz"
    path.write_bytes(b"")
    return path


def another_format(folder):
    """Write a DCD's first bytes under the name of an extended XYZ."""
    path = folder / "bad.extxyz"
    path.write_bytes(struct.pack("<i", 84) + b"CORD" + bytes(76) + struct.pack("<i", 84))
    return path


def absent(folder):
    return folder / "absent.extxyz"


BAD = {
    "truncated": (truncated, (), "one frame"),
    "not a number": (not_a_number, (), "frame 40, atom 0"),
    "atoms change order": (changed_order, (), "frame 30"),
    "species not there": (lambda folder: extxyz(folder, *base()), ("--mobile", "Na"), "species 'Na' is not in the"),
    "no framework": (no_framework, (), "there is no framework"),
    "too short": (too_short, (), "20 frames, expected at least"),
    "too coarse": (too_coarse, (), "moved by more than 0.4 of a cell vector"),
    "contradictory image flags": (contradictory_flags, (), "image flags"),
    "empty": (empty, (), "empty"),
    "another format": (another_format, (), "the content looks like DCD, the name promises"),
    "absent": (absent, (), "no such file"),
}


@pytest.mark.filterwarnings("default")  # a frame that is cut off is dropped with a warning
@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_one_line_and_exit_code_two(program, tmp_path, name):
    make, options, message = BAD[name]
    path = make(tmp_path)
    outcome = program("analyze", "transport", path, "--temperature", 700, *SPACING, *options)
    lines = [line for line in outcome.err.splitlines() if not line.startswith("warning: ")]
    assert outcome.code == 2
    assert outcome.out == ""
    assert len(lines) == 1
    assert lines[0].startswith(f"error: {path}: ")
    assert message in lines[0]


@pytest.mark.filterwarnings("default")  # a frame that is cut off is dropped with a warning
def test_among_good_files_bad_ones_are_refused_rows(program, runs, tmp_path):
    names = [name for name in BAD if name not in ("absent", "species not there")]
    arguments = []
    for name in names:
        folder = tmp_path / name.replace(" ", "_")
        folder.mkdir()
        arguments += [BAD[name][0](folder), "--temperature", 900]
    outcome = program("analyze", "transport", *arguments, *runs, "--json")
    assert outcome.code == 0, outcome.err
    plain = json.loads(outcome.out)
    for name, row in zip(names, plain["trajectories"], strict=False):
        assert (row["quality"], row["tracer_diffusivity_cm2_s"], row["conductivity_ms_cm"]) == ("refused", None, None)
        assert BAD[name][2] in row["reasons"][0]
        assert any(
            reason.endswith(f"{row['path']}: refused, left out of the line") for reason in plain["arrhenius"]["reasons"]
        )
    assert len(plain["trajectories"]) == len(names) + 4
    assert plain["arrhenius"]["activation_energy_ev"]["value"] == pytest.approx(0.25, abs=0.03)


def test_a_trajectory_that_never_diffuses_is_a_limit_not_a_number(program, tmp_path):
    symbols, positions = base(n_frames=400)
    rng = np.random.default_rng(1)
    path = extxyz(tmp_path, symbols, positions[:1] + 0.1 * rng.standard_normal(positions.shape))
    row = json.loads(program("analyze", "transport", path, "--temperature", 700, *SPACING, "--json").out)
    row = row["trajectories"][0]
    assert row["quality"] == "refused"
    assert row["tracer_diffusivity_cm2_s"]["value"] is None
    assert row["tracer_diffusivity_cm2_s"]["high"] > 0
    shown = program("analyze", "transport", path, "--temperature", 700, *SPACING).out
    assert "< " in shown
    assert "refused" in shown


@pytest.mark.filterwarnings("default")
def test_a_last_frame_that_is_cut_off_is_dropped_and_said(program, tmp_path):
    path = extxyz(tmp_path, *base())
    text = path.read_bytes()
    path.write_bytes(text[: len(text) - 500])
    outcome = program("analyze", "transport", path, "--temperature", 700, *SPACING, "--json")
    assert outcome.code == 0
    assert outcome.err.startswith("warning: ")
    assert outcome.err.count("\n") == 1
    assert json.loads(outcome.out)["trajectories"][0]["tracer_diffusivity_cm2_s"]["value"] > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["transprt", "500K.extxyz"], "no entry 'transprt' in analysis"),
        (["transport"], "Missing argument"),
        (["transport", "500K.extxyz"], "frame_spacing_fs"),
        (
            ["transport", "500K.extxyz", *SPACING, "--temperature", 500, "--temperature", 600],
            "found 2 temperatures for 1",
        ),
        (["arrhenius", "500K.extxyz", *SPACING, "--temperature", 500], "it needs at least two temperatures"),
        (["transport", "500K.extxyz", *SPACING, "--mobile", "lithium"], "expected a chemical symbol"),
        (["transport", "500K.extxyz", *SPACING, "--set", "reference"], "--set: found 'reference', expected KEY=VALUE"),
        (["transport", "500K.extxyz", *SPACING, "--set", "charges=Li=1,S"], "expected pairs such as charges=Li=1,S=-2"),
        (["transport", "500K.extxyz", *SPACING, "--set", "charges=Li=one"], "key 'charges.Li': found 'one', expected"),
        (["transport", "500K.extxyz", *SPACING, "--set", "charges=Cl=-1"], "a charge is given for 'Cl'"),
        (["transport", "500K.extxyz", *SPACING, "--set", "n_lags=[1"], "whose value is not YAML"),
        (["transport", "500K.extxyz", *SPACING, "--set", "n_lag=50"], "unknown key 'n_lag'"),
        (["transport", "500K.extxyz", *SPACING, *["--set", "n_lags=50"] * 2], "the key 'n_lags' is given twice"),
        (["transport", "500K.extxyz", *SPACING, "--set", "reference=moon"], "reference 'moon' is unknown"),
        (["transport", "500K.extxyz", "--frame-spacing-fs", "-1"], "frame_spacing_fs must be positive"),
    ],
)
def test_mistakes_in_the_call_are_one_line_and_exit_code_two(program, runs, arguments, message):
    outcome = program("analyze", *arguments)
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err.count("\n") == 1
    assert message in outcome.err


def test_real_data_print_a_diffusivity_with_its_interval(program, repository):
    path = repository.parent / "shared/data/li6ps5cl_md/actual_XDATCAR.gz"
    if not path.is_file():
        pytest.skip("shared data li6ps5cl_md is not beside the checkout")
    options = ("--mobile", "Li", "--temperature", 500, "--frame-spacing-fs", 100)
    outcome = program("analyze", "transport", path, *options, "--json")
    interval = json.loads(outcome.out)["trajectories"][0]["tracer_diffusivity_cm2_s"]
    assert interval["low"] < interval["value"] < interval["high"]
    assert f"{interval['value']:.2e}" in program("analyze", "transport", path, *options).out
