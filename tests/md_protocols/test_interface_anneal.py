"""An interface in time: a cell that keeps its area, thermostats that touch no interface, kills that cost nothing."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.io import read, write

from mlip_sse import Trajectory
from mlip_sse.errors import InputError, SpecError
from mlip_sse.md_protocols import (
    InterfaceAnnealSpec,
    TwoSidedCell,
    load_protocol,
    run_interface_anneal,
)
from mlip_sse.md_protocols.interface_decks import STATE_COLUMNS
from mlip_sse.potentials.lammps_install import EXECUTABLE_VARIABLE

SMALL = {
    "description": "two faces of argon for a moment",
    "protocol": "interface_anneal",
    "interface": {
        "a": {"file": "argon.cif", "miller": [1, 0, 0], "thickness_a": 15.0},
        "b": {"file": "argon.cif", "miller": [1, 1, 1], "thickness_a": 15.0},
        "max_area_a2": 200.0,
        "gap_a": 2.8,
    },
    "potential": "argon_lennard_jones",
    "temperatures_k": [40.0],
    "seeds": [3],
    "timestep_fs": 2.0,
    "settle_temperature_k": 20.0,
    "settle_ps": 0.4,
    "heat_ps": 0.4,
    "production_ps": 1.0,
    "segment_ps": 0.4,
    "dump_every_fs": 40.0,
    "newtonian_a": 3.5,
}

KB = 8.617333262e-5


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a folder with the bulk crystal."""
    folder = tmp_path_factory.mktemp("argon")
    write(folder / "argon.cif", bulk("Ar", cubic=True, a=5.28))
    return folder


def small(place, **changes):
    return InterfaceAnnealSpec.parse({**SMALL, **changes}).beside(place)


@pytest.fixture(scope="module")
def made(place, tmp_path_factory):
    """Return the folder of a run, what was found, and what was told on the way."""
    from mlip_sse.errors import MissingExtraError

    folder = tmp_path_factory.mktemp("annealed")
    seen = []
    try:
        spec = small(place, temperatures_k=[60.0])
        told = lambda stage, state: seen.append((stage, state.n_ended))  # noqa: E731
        return folder, run_interface_anneal(spec, folder, progress=told), seen
    except MissingExtraError as error:
        pytest.skip(str(error))


def frames(run, name="trajectory"):
    return Trajectory.read(run[name])


def test_stages_and_runs(made):
    _, result, seen = made
    assert seen == [("bulks", 1), ("relax", 1), ("anneal", 1)]
    assert [(run["temperature_k"], run["seed"]) for run in result.runs] == [(60.0, 3)]
    assert result.interface["n_interfaces"] == result.cell["n_interfaces"] == 2
    for run in result.runs:
        assert (run["ended"], run["n_segments"], run["n_segments_done"], run["n_frames"]) == (None, 3, 3, 26)
        trajectory = frames(run)
        assert trajectory.n_frames == 26
        assert trajectory.frame_spacing_fs == pytest.approx(40.0)
        assert set(trajectory.species) == {"Ar"}
        assert frames(run, "preparation").n_frames == 21
        assert np.loadtxt(run["state"]).shape == (25, len(STATE_COLUMNS))
    assert json.loads(json.dumps(result.to_dict()))["quality"] in ("pass", "weak")


def test_the_area_never_changes_and_the_height_does(made):
    _, result, _ = made
    start = read(result.cell["structure"]).cell.array
    for run in result.runs:
        for name in ("trajectory", "preparation"):
            cells = frames(run, name).cells
            assert np.abs(cells[:, :2] - cells[0, :2]).max() <= 1e-12
            assert cells[:, :2] == pytest.approx(np.broadcast_to(start[:2], (len(cells), 2, 3)), abs=1e-6)
        assert np.ptp(frames(run).cells[:, 2, 2]) > 1e-3
        settled = frames(run, "preparation").cells[:11, 2, 2]
        assert np.ptp(settled) == 0


def test_thermostats_hold_no_atom_near_an_interface(made):
    """Every deck's own groups, counted by LAMMPS itself, are what lies in the layers at the start of the segment."""
    folder, result, _ = made
    height = result.cell["height_a"]
    for task in {Path(run["trajectory"]).parent for run in result.runs}:
        for segment in sorted(task.glob("segment_????")):
            log = (segment / "log.lammps").read_text()
            ends = re.findall(
                r"^region outer_([ab])_0 block INF INF INF INF ([\d.e-]+) ([\d.e-]+) units box$", log, re.M
            )
            assert [name for name, *_ in ends] == ["a", "b"]
            first = read(segment / "production.lammpstrj", index=0, format="lammps-dump-text")
            bottom = first.get_celldisp().ravel()[2]
            heights = (first.positions[:, 2] - bottom) % first.cell[2, 2] + bottom
            for (name, low, high), layer in zip(ends, (result.cell["thermostat_layers"][s] for s in "ab"), strict=True):
                inside = (heights >= float(low)) & (heights <= float(high))
                (counted,) = re.findall(
                    rf"^group outer_{name} region .*\n(\d+) atoms in group outer_{name}$", log, re.M
                )
                assert int(counted) == inside.sum() > 8
                apart = [abs((end - plane + 0.5) % 1 - 0.5) for end in layer for plane in result.cell["planes"]]
                assert min(apart) * height == pytest.approx(3.5, abs=1e-6)
            deck = (segment / "in.lammps").read_text()
            assert re.findall(r"^fix \S+ (\S+) (\S+)", deck, re.M) == [
                ("all", "halt"),
                ("all", "nph"),
                ("outer_a", "langevin"),
                ("outer_b", "langevin"),
                ("all", "ave/time"),
            ]
    assert folder


def test_what_the_atoms_lose_is_the_heat_that_left(made):
    """Within a segment the energy of the atoms and the heat in both layers add up, but for a few kT of the barostat."""
    _, result, _ = made
    gone = []
    for run in result.runs:
        assert abs(run["conserved_drift_mev_atom_ps"]) < 0.5  # 0.12 in 0.4 ps; one part of the means over each frame
        assert all(heat != 0 for heat in run["heat_left_ev"])
        column = dict(zip(STATE_COLUMNS, np.loadtxt(run["state"]).T, strict=True))
        kinetic = 1.5 * (result.cell["n_atoms"] - 1) * KB * column["temperature_k"]
        energy = column["potential_energy_ev"] + kinetic
        heat = column["heat_left_a_ev"] + column["heat_left_b_ev"]
        for part in (slice(0, 10), slice(10, 20)):
            gone += [np.ptp(heat[part])]
            total = energy[part] + heat[part]
            assert np.ptp(total) < 8 * KB * run["temperature_k"]
    assert max(gone) > 0.1


def test_noise_differs_between_segments_layers_and_runs(made):
    folder, result, _ = made
    found = [
        line.split()[-5]
        for run in result.runs
        for deck in sorted(Path(run["trajectory"]).parent.glob("segment_????/in.lammps"))
        for line in deck.read_text().splitlines()
        if line.startswith("fix bath_")
    ]
    assert len(found) == len(set(found)) == 6
    assert folder


def test_the_relaxed_cell_keeps_its_sides_in_the_order_of_the_frames(made):
    _, result, _ = made
    cell = TwoSidedCell.read(result.cell["structure"])
    assert [int((cell.side == side).sum()) for side in (0, 1)] == result.cell["n_atoms_of_side"]
    for run in result.runs:
        first = frames(run, "preparation")
        offsets = (first.positions[0] - cell.atoms.positions) @ np.linalg.inv(cell.atoms.cell.array)
        assert np.abs(offsets - np.rint(offsets)).max() < 1e-5
    assert result.cell["max_force_ev_a"] <= 0.05
    assert abs(result.cell["pressure_z_gpa"]) <= 0.05


def test_what_is_there_is_not_run_again(made, place):
    folder, result, _ = made
    again = run_interface_anneal(small(place, temperatures_k=[60.0]), folder)
    assert (result.n_reused, again.n_reused) == (0, 3)  # both sides are one bulk
    assert again.runs == result.runs


def test_what_was_lost_comes_out_the_same_and_the_rest_is_kept(made, place, tmp_path):
    folder, result, _ = made
    torn = tmp_path / "torn"
    shutil.copytree(folder, torn, copy_function=shutil.copy2)
    name = Path(result.runs[0]["trajectory"]).parent.name
    (torn / "tasks" / name / "result.json").unlink()
    shutil.rmtree(torn / "tasks" / name / "segment_0002")
    shutil.rmtree(torn / "tasks" / name / "segment_0001")
    (torn / "tasks" / name / "segment_0001.running").mkdir()
    kept = {path: path.stat().st_mtime_ns for path in (torn / "tasks" / name).glob("*/production.lammpstrj")}
    again = run_interface_anneal(small(place, temperatures_k=[60.0]), torn)
    assert again.n_reused == 2
    assert len(kept) == 3
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    for key in ("trajectory", "preparation", "state"):
        assert Path(again.runs[0][key]).read_bytes() == Path(result.runs[0][key]).read_bytes(), key


def fake(tmp_path, monkeypatch, script):
    path = tmp_path / "fake_lmp"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv(EXECUTABLE_VARIABLE, str(path))


def test_a_cell_of_ones_own_with_vacuum_whose_atoms_get_lost(place, tmp_path, lammps, monkeypatch):
    """A finished cell, a layer over its end: no barostat moves it. What ended it early is said, the rest is kept."""
    slabs = bulk("Ar", cubic=True, a=5.28).repeat((2, 2, 5))
    slabs.set_array("side", (slabs.get_scaled_positions()[:, 2] > 0.49).astype(np.int8))
    slabs.center(vacuum=8.0, axis=2)
    slabs.positions[:, 2] += 0.8 * slabs.cell[2, 2]
    slabs.wrap()
    write(tmp_path / "own.extxyz", slabs)
    words = "ERROR: Lost atoms: original 80 current 79 (src/thermo.cpp:494)"
    lost = f"case $PWD in *segment_0001.running) echo '{words}' > log.lammps; exit 1;; esac"
    fake(tmp_path, monkeypatch, f'{lost}\nexec {lammps} "$@"')
    result = run_interface_anneal(small(place).with_structure(tmp_path / "own.extxyz"), tmp_path / "out")
    assert result.interface is None
    assert (result.cell["n_interfaces"], result.cell["height_change"]) == (1, 0.0)
    (run,) = result.runs
    assert (run["ended"]["kind"], run["ended"]["stage"], run["n_segments_done"]) == ("lost_atoms", "segment_0001", 1)
    assert (run["quality"], str(result.verdict.quality)) == ("weak", "weak")
    assert "ended in segment_0001: lost_atoms: ERROR: Lost atoms" in result.verdict.reasons[0]
    trajectory = Trajectory.read(run["trajectory"])
    assert trajectory.n_frames == run["n_frames"] == 11
    assert np.ptp(trajectory.cells, axis=0).max() == 0
    log = (Path(run["trajectory"]).parent / "segment_0000" / "log.lammps").read_text()
    assert "nph" not in log
    assert re.search(r"^region outer_[ab]_1 block", log, re.M)
    held = [re.findall(rf"^(\d+) atoms in group outer_{side}$", log, re.M)[-1] for side in "ab"]
    assert [int(number) for number in held] == result.cell["n_atoms_of_layer"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"temperatures_k": [40.0, 40.0]}, "temperatures_k: found a value twice"),
        ({"temperatures_k": [10.0]}, "settle_temperature_k: found 20, expected at most the lowest"),
        ({"timestep_fs": 4.0}, "less than or equal to 2"),
        ({"dump_every_fs": 5.0}, "expected a multiple of 2"),
        ({"segment_ps": 0.04}, "segment_ps: found 0.04, expected at least 2 times dump_every_fs"),
        ({"settle_temperature_k": 400.0}, "less than or equal to 300"),
        ({"interface": {**SMALL["interface"], "a": {"miller": [1, 0, 0]}}}, "found none of crystal, file and metal"),
        ({"interface": {**SMALL["interface"], "a": {"metal": "Li", "miller": [0, 0, 0]}}}, "miller: found 0 0 0"),
        ({"interface": {**SMALL["interface"], "strained": "c"}}, "expected 'a', 'b' or 'both'"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(place, changes, message):
    with pytest.raises(SpecError, match=message) as caught:
        small(place, **changes)
    assert "\n" not in str(caught.value)


def test_what_the_potential_or_the_cell_cannot_do_is_refused_before_any_dynamics(place, tmp_path, lammps):
    with pytest.raises(SpecError, match=r"temperatures_k: found 900 K, but potential .* holds from 20 to 600 K"):
        run_interface_anneal(small(place, temperatures_k=[900.0]), tmp_path / "out")
    with pytest.raises(SpecError, match=r"potential: found reference:chgnet.*: LAMMPS moves the atoms"):
        run_interface_anneal(small(place), tmp_path / "out", potential="reference:chgnet")
    metal = {**SMALL["interface"], "a": {"metal": "Li", "miller": [1, 0, 0], "thickness_a": 15.0}}
    with pytest.raises(InputError, match="knows Ar, not Li"):
        run_interface_anneal(small(place, interface=metal), tmp_path / "out")
    thin = {**SMALL["interface"], "relax": "none", "b": {"file": "argon.cif", "miller": [1, 1, 1], "thickness_a": 6.0}}
    with pytest.raises(InputError, match=r"side b is too thin: found \d+ atoms in [\d.]+ Å beyond newtonian_a = 3.5 Å"):
        run_interface_anneal(small(place, interface=thin), tmp_path / "out")
    assert not list(tmp_path.glob("out/tasks/*/settle"))


def test_the_shipped_protocol_can_be_built():
    spec = load_protocol("interface_anneal")
    interface = spec.interface.build()
    assert interface.max_strain < 1e-6
    from mlip_sse.md_protocols.interface_layers import thermostat_layers

    assert thermostat_layers(TwoSidedCell.of(interface), spec.newtonian_a).n_a >= 8
