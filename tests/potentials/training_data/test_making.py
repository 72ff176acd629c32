"""Making the frames of a recipe, with a Lennard-Jones reference: what comes out, and what is not done twice."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from mlip_sse.dataset import Dataset
from mlip_sse.errors import InputError, SpecError
from mlip_sse.potentials.training_data import TrainingDataSpec, make_training_data
from mlip_sse.potentials.training_data.starts import structure_of

REFERENCE = {
    "kind": "ase",
    "calculator": "ase.calculators.lj:LennardJones",
    "settings": {"sigma": 2.4, "epsilon": 0.05, "rc": 4.0, "smooth": True},
}
STRUCTURES = [
    {
        "name": "cell",
        "crystal": "licl",
        "relax": {"force_ev_a": 0.05, "max_steps": 30},
        "distortions": [
            {"name": "rattled", "n_frames": 3, "rattle_a": 0.05, "max_strain": 0.02},
            {"name": "compressed", "n_frames": 2, "volume_changes": [-0.1, 0.1]},
        ],
        "contacts": [{"n_frames": 3, "ratios": [0.8, 0.9]}],
        "md": [{"temperature_k": 300, "n_frames": 4, "every": 3, "warm_up_steps": 5, "volume_change": 0.03}],
    }
]


def spec(**changes):
    return TrainingDataSpec.parse({"reference": REFERENCE, "structures": STRUCTURES, **changes})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Make the whole set once, and remember what was reported."""
    lines = []
    folder = tmp_path_factory.mktemp("made") / "dataset"
    dataset = make_training_data(spec(), folder, lambda share, line: lines.append((share, line)))
    return dataset, lines


def members(dataset, group):
    return [frame for frame in dataset if frame.group == group]


def test_each_line_of_the_recipe_is_a_group_of_as_many_frames(made):
    dataset, _ = made
    counts = {group: dataset.groups.count(group) for group in set(dataset.groups)}
    assert counts == {
        "cell rattled": 3,
        "cell compressed": 2,
        "cell contacts": 3,
        "cell MD 300 K volume +3 %": 4,
    }
    assert dataset.fingerprint.code == REFERENCE["calculator"]
    reopened = Dataset(dataset.folder)
    assert reopened.ids == dataset.ids


def test_labels_are_those_of_the_calculator(made):
    from ase.calculators.lj import LennardJones

    dataset, _ = made
    for frame in dataset:
        atoms = frame.to_atoms()
        atoms.calc = LennardJones(**REFERENCE["settings"])
        # Positions are rounded to 1e-8 Å, and the forces' slope is below 1e2 eV/Å² at these distances.
        np.testing.assert_allclose(frame.forces, atoms.get_forces(), atol=1e-6)
        np.testing.assert_allclose(frame.stress, atoms.get_stress(), atol=1e-7)
        assert frame.energy == pytest.approx(atoms.get_potential_energy(), abs=1e-6)


def test_volumes_and_contacts_are_as_asked(made):
    from mlip_sse.structures import crystal

    dataset, _ = made
    volume = crystal("licl").get_volume()
    compressed = [frame.volume / volume for frame in members(dataset, "cell compressed")]
    assert compressed == pytest.approx([0.9, 1.1], rel=1e-8)  # cells are rounded to 1e-8 Å
    assert {round(f.volume / volume, 8) for f in members(dataset, "cell MD 300 K volume +3 %")} == {1.03}
    shortest = {}
    for frame in members(dataset, "cell contacts"):
        distances = frame.to_atoms().get_all_distances(mic=True)
        shortest[frame.place] = distances[np.triu_indices(len(distances), 1)].min()
    start = crystal("licl").get_all_distances(mic=True)
    nearest = start[start > 0.1].min()
    # Frame 1 pushes the pair Cl-Li, the nearest one, to 0.8 to 0.9 of its distance in the start (relaxed, same cell).
    assert 0.8 * nearest - 1e-6 <= shortest[1] <= 0.9 * nearest + 1e-6


def test_progress_rises_to_the_end_and_names_the_sources(made):
    _, lines = made
    shares = [share for share, _ in lines]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert any(line.startswith("cell MD 300 K volume +3 %: 4 of 4") for _, line in lines)


def test_a_second_run_computes_nothing(made, monkeypatch):
    dataset, _ = made
    before = dataset.ids

    def refuse(self):
        raise AssertionError("the calculator was asked for")

    def refuse_task(self, *arguments, **named):
        raise AssertionError("a label was asked for")

    monkeypatch.setattr("mlip_sse.references.contract.Reference.calculator", refuse)
    monkeypatch.setattr("mlip_sse.engine.thread_lane.ThreadLane.submit", refuse_task)
    assert make_training_data(spec(), dataset.folder).ids == before


def test_a_cut_trajectory_goes_on_as_if_it_had_not_been_cut(made, tmp_path):
    """Half of the pieces are removed as a killed run leaves them; the rest must come out the same.

    A new calculator sums its neighbours in another order, which is 1e-16 of the forces, and grows little in six steps.
    """
    dataset, _ = made
    only_md = [{**STRUCTURES[0], "distortions": [], "contacts": []}]
    one = make_training_data(spec(structures=only_md), tmp_path / "one")
    (trajectory,) = (one.folder / "sources" / "trajectories").iterdir()
    whole = _numbers(trajectory)
    assert len(whole) == 4
    for name in ("00002.json", "00003.json"):
        (trajectory / name).unlink()
    again = make_training_data(spec(structures=only_md), tmp_path / "one")
    continued = _numbers(trajectory)
    assert continued.keys() == whole.keys()
    for name, (numbers, random) in continued.items():
        np.testing.assert_allclose(numbers, whole[name][0], atol=1e-12)
        assert random == whole[name][1]
    assert again.ids == one.ids
    assert set(one.ids) == {frame.id for frame in members(dataset, "cell MD 300 K volume +3 %")}


def _numbers(trajectory):
    pieces = {path.name: json.loads(path.read_text()) for path in trajectory.glob("0*.json")}
    return {name: (piece["positions"] + piece["momenta"], piece["random"]) for name, piece in pieces.items()}


def test_a_longer_trajectory_keeps_what_was_run(made, tmp_path):
    longer = [{**STRUCTURES[0], "md": [{**STRUCTURES[0]["md"][0], "n_frames": 6}]}]
    dataset, _ = made
    other = make_training_data(spec(structures=longer), tmp_path / "longer")
    assert set(dataset.ids) < set(other.ids)


def test_another_seed_draws_other_frames(made, tmp_path):
    dataset, _ = made
    other = make_training_data(spec(seed=1), tmp_path / "other")
    same = set(other.ids) & set(dataset.ids)
    assert same == {frame.id for frame in members(dataset, "cell compressed")}  # nothing random in them


def test_kill_9_loses_at_most_the_frame_it_was_at(tmp_path):
    long = [{**STRUCTURES[0], "distortions": [], "contacts": []}]
    long[0]["md"] = [{"temperature_k": 300, "n_frames": 30, "every": 4, "warm_up_steps": 5}]
    plain = {"reference": REFERENCE, "structures": long}
    code = (
        "import json, sys; from mlip_sse.potentials.training_data import TrainingDataSpec, make_training_data; "
        "make_training_data(TrainingDataSpec.parse(json.loads(sys.argv[1])), sys.argv[2])"
    )
    run = subprocess.Popen([sys.executable, "-c", code, json.dumps(plain), str(tmp_path / "killed")])
    pieces = tmp_path / "killed" / "sources" / "trajectories"
    deadline = time.monotonic() + 300
    while run.poll() is None and len(list(pieces.glob("*/0*.json"))) < 5:
        assert time.monotonic() < deadline, "no frame within five minutes"
        time.sleep(0.01)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    kept = {path: path.stat().st_mtime_ns for path in pieces.glob("*/0*.json")}
    assert 5 <= len(kept) < 30
    killed = make_training_data(spec(structures=long), tmp_path / "killed")
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert killed.ids == make_training_data(spec(structures=long), tmp_path / "whole").ids


def test_frames_beyond_the_gates_are_left_out_and_said(tmp_path):
    lines = []
    hot = [{"name": "hot", "crystal": "licl", "distortions": [{"name": "far", "n_frames": 4, "rattle_a": 0.05}]}]
    hot[0]["md"] = [{"temperature_k": 300, "n_frames": 4, "every": 1, "warm_up_steps": 0}]
    tight = {**REFERENCE, "gates": {"force_cap_ev_a": 1e-3}}
    with pytest.raises(InputError, match="no frame that passed the gates of ase"):
        make_training_data(spec(reference=tight, structures=hot), tmp_path / "hot", lambda _, line: lines.append(line))
    assert any("4 refused, found a force of" in line for line in lines)
    assert any("stopped after 0 frames: found a force of" in line for line in lines)


def test_orderings_and_defects_become_starts(tmp_path):
    disordered = [
        {
            "name": "lyc",
            "crystal": "li3ycl6",
            "ordering": {"n_structures": 2, "max_cells": 1},
            "vacancies": {"Li": 1},
            "distortions": [{"name": "rattled", "n_frames": 2, "rattle_a": 0.02}],
        }
    ]
    dataset = make_training_data(spec(structures=disordered), tmp_path / "lyc")
    assert dataset.compositions == {"Cl18Li8Y3": 4}
    assert set(dataset.groups) == {"lyc-1 rattled", "lyc-2 rattled"}


def test_a_code_of_single_structures_refuses_dynamics(tmp_path):
    structures = [{"name": "cell", "crystal": "licl", "md": [{"temperature_k": 300, "n_frames": 2}]}]
    with pytest.raises(InputError, match=r"no program|expected a reference that is a calculator"):
        make_training_data(spec(reference={"kind": "cp2k"}, structures=structures), tmp_path / "dft")


def test_a_structure_survives_the_way_through_its_file():
    from mlip_sse.potentials.training_data.starts import plain_structure
    from mlip_sse.structures import crystal, rattle

    atoms = rattle(crystal("licl"), 0.1, seed=3)
    back = structure_of(json.loads(json.dumps(plain_structure(atoms))))
    assert (back.positions == atoms.positions).all()
    assert back.get_chemical_symbols() == atoms.get_chemical_symbols()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"structures": [{"name": "a", "crystal": "licl"}]}, "found nothing to draw from it"),
        ({"structures": [{"name": "a"}]}, "found crystal None and file None, expected one of them"),
        ({"structures": [STRUCTURES[0], STRUCTURES[0]]}, "found the name 'cell' twice"),
        ({"structures": [{**STRUCTURES[0], "contacts": [{"n_frames": 1, "ratios": [0.9, 0.8]}]}]}, "0.4 to 1, rising"),
        (
            {"structures": [{"name": "a", "crystal": "licl", "distortions": [{"name": "b", "n_frames": 2}]}]},
            "nothing random in them",
        ),
        (
            {"structures": [{"name": "a", "crystal": "licl", "md": 2 * [{"temperature_k": 9, "n_frames": 1}]}]},
            "found 'MD 9 K' twice, expected each once: for md use repeats",
        ),
    ],
)
def test_an_impossible_recipe_is_refused_before_anything_runs(change, message):
    with pytest.raises(SpecError, match=message):
        spec(**change)
