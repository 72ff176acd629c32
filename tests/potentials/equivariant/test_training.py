"""Training: silent, taken up again after a kill, stopped early, never running what a checkpoint may hold."""

import csv
import dataclasses
import importlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mlip_sse.dataset import Fingerprint
from mlip_sse.errors import FormatError, InputError, RunError
from mlip_sse.potentials.contract import FAMILIES
from tests.potentials.equivariant.tiny import tiny_frames, tiny_potential, tiny_recipe

torch = pytest.importorskip("torch")
pytest.importorskip("nequip")
pytestmark = pytest.mark.filterwarnings("ignore")

REPOSITORY = Path(__file__).resolve().parents[3]


def the_folder(work):
    (folder,) = [path for path in Path(work).iterdir() if path.is_dir()]
    return folder


def curve(folder):
    with open(folder / "learning_curve.csv") as stream:
        return list(csv.DictReader(stream))


def farthest(first, second):
    """Return the largest difference between two sets of weights; some arrays of nequip are empty."""
    return max(np.abs(first[name] - second[name]).max(initial=0.0) for name in first)


def family_class(family):
    module, name = FAMILIES[family].split(":")
    return getattr(importlib.import_module(module), name)


@pytest.mark.parametrize("family", ["nequip", "allegro"])
def test_training_lowers_the_error_and_says_nothing(family, tmp_path, capfd, caplog):
    told = []
    frames = tiny_frames(8)
    recipe = tiny_recipe(family, training={"epochs": 25, "learning_rate": 0.02})
    fitted = family_class(family).fit(
        recipe, frames[:6], frames[6:], tmp_path / "work", progress=lambda share, line: told.append((share, line))
    )
    rows = curve(the_folder(tmp_path / "work"))
    errors = [float(row["validation_force_mae_mev_a"]) for row in rows]
    # Measured: NequIP from 349 to 197 meV/Å, Allegro more; training that does nothing stays at 1.
    assert min(errors) < 0.7 * errors[0]
    assert [int(row["epoch"]) for row in rows] == list(range(1, 26))
    assert [share for share, _ in told] == pytest.approx(np.arange(1, 26) / 25)
    assert "validation" in told[-1][1]
    assert capfd.readouterr() == ("", "")
    assert not caplog.records
    assert fitted.card.elements == ("Li", "P", "S")
    assert fitted.card.data["n_train"] == 6


def test_a_progress_bar_is_seen(tmp_path, capsys):
    frames = tiny_frames(3)
    recipe = tiny_recipe("nequip", training={"epochs": 1})
    family_class("nequip").fit(recipe, frames[:2], frames[2:], tmp_path / "work", progress=lambda *each: print(*each))
    out, err = capsys.readouterr()
    assert out.startswith("1.0 epoch 1 of 1: validation")
    assert err == ""


def test_the_best_epoch_is_kept(tmp_path):
    """The error of the returned potential on the validation frames is the lowest of the curve."""
    frames = tiny_frames(8)
    recipe = tiny_recipe("nequip", training={"epochs": 6, "average": 0.5})
    fitted = family_class("nequip").fit(recipe, frames[:6], frames[6:], tmp_path / "work")
    calculator = fitted.calculator(compiled=False)
    errors = [calculator.get_forces(frame.to_atoms()) - frame.forces for frame in frames[6:]]
    best = min(float(row["validation_force_mae_mev_a"]) for row in curve(the_folder(tmp_path / "work")))
    # The curve is written with six digits, the frames in nequip's file with eight decimals.
    assert 1e3 * np.abs(errors).mean() == pytest.approx(best, rel=1e-5)


KILLED = """
import os, signal, sys, threading
from tests.potentials.equivariant.test_training import family_class
from tests.potentials.equivariant.tiny import tiny_frames, tiny_recipe
def tell(share, line):
    if share > 0.45:
        threading.Timer(0.02, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
    if share > 0.8:  # where the timer's thread found no moment
        os.kill(os.getpid(), signal.SIGKILL)
frames = tiny_frames(8)
recipe = tiny_recipe("nequip", training={"epochs": 12})
family_class("nequip").fit(recipe, frames[:6], frames[6:], sys.argv[1], progress=tell)
"""


def test_a_killed_training_goes_on_and_ends_where_the_whole_one_does(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KILLED, str(tmp_path / "killed")],
        cwd=REPOSITORY,
        capture_output=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert done.returncode == -9, done.stderr.decode()
    killed = the_folder(tmp_path / "killed")
    assert not (killed / "network.json").exists()
    n_before = len(curve(killed))
    assert 6 <= n_before < 12
    before = curve(killed)
    frames, recipe, told = tiny_frames(8), tiny_recipe("nequip", training={"epochs": 12}), []
    tell = lambda share, line: told.append(share)  # noqa: E731
    resumed = family_class("nequip").fit(recipe, frames[:6], frames[6:], tmp_path / "killed", progress=tell)
    whole = family_class("nequip").fit(recipe, frames[:6], frames[6:], tmp_path / "whole")
    assert len(told) == 12 - n_before
    after, reference = curve(killed), curve(the_folder(tmp_path / "whole"))
    assert after[:n_before] == before
    assert float(after[-1]["cpu_s"]) > float(before[-1]["cpu_s"])
    for row, expected in zip(after, reference, strict=True):
        for name in ("validation_force_mae_mev_a", "learning_rate"):
            assert float(row[name]) == pytest.approx(float(expected[name]), rel=1e-5)
    for name, weights in whole.members[0].items():
        # The same operations in the same order on one thread; 1e-9 leaves room for another summation order.
        np.testing.assert_allclose(resumed.members[0][name], weights, rtol=1e-9, atol=1e-12)


def test_an_interrupt_stays_one_and_the_next_is_heard(tmp_path):
    def interrupt(share, line):
        raise KeyboardInterrupt

    frames, before = tiny_frames(3), signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        family_class("nequip").fit(tiny_recipe("nequip"), frames[:2], frames[2:], tmp_path / "work", progress=interrupt)
    assert signal.getsignal(signal.SIGINT) is before
    assert (the_folder(tmp_path / "work") / "last.ckpt").is_file()


def test_what_is_trained_is_not_trained_again(tmp_path):
    first = tiny_potential("nequip", tmp_path / "work")
    told = []
    frames = tiny_frames(8)
    again = type(first).fit(
        first.recipe, frames[:6], frames[6:], tmp_path / "work", progress=lambda *each: told.append(each)
    )
    assert told == []
    assert all((again.members[0][name] == value).all() for name, value in first.members[0].items())


def test_another_recipe_or_other_frames_train_in_another_folder(tmp_path):
    tiny_potential("nequip", tmp_path / "work", training={"epochs": 1})
    tiny_potential("nequip", tmp_path / "work", training={"epochs": 2})
    assert len(list((tmp_path / "work").iterdir())) == 2


def unfinished(tmp_path):
    """Return the folder of a training that looks killed."""
    tiny_potential("nequip", tmp_path / "work")
    folder = the_folder(tmp_path / "work")
    (folder / "network.json").unlink()
    return folder


class Bomb:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("where", ["optimizer_states", "whole file"])
def test_a_pickle_in_a_checkpoint_is_never_executed(tmp_path, where):
    folder = unfinished(tmp_path)
    content = torch.load(folder / "last.ckpt", weights_only=True)
    bomb = Bomb(tmp_path / "executed")
    torch.save({**content, where: bomb} if where in content else bomb, folder / "last.ckpt")
    with pytest.raises(FormatError, match="nothing in it was run: delete") as caught:
        tiny_potential("nequip", tmp_path / "work")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "executed").exists()


def test_a_checkpoint_of_another_version_is_refused_and_left_alone(tmp_path):
    folder = unfinished(tmp_path)
    path = folder / "last.ckpt"
    content = torch.load(path, weights_only=True)
    content["callbacks"]["Watch"]["origin"]["versions"]["lightning"] = "1.9.5"
    torch.save(content, path)
    before = path.read_bytes()
    with pytest.raises(FormatError, match=r"found lightning 1\.9\.5, expected 2") as caught:
        tiny_potential("nequip", tmp_path / "work")
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before


def test_a_truncated_checkpoint_is_refused(tmp_path):
    folder = unfinished(tmp_path)
    content = (folder / "last.ckpt").read_bytes()
    (folder / "last.ckpt").write_bytes(content[: len(content) // 2])
    with pytest.raises(FormatError, match="no checkpoint of plain numbers"):
        tiny_potential("nequip", tmp_path / "work")


def test_training_stops_early_without_progress(tmp_path):
    # A learning rate this low leaves the error where it is to within noise, and patience 2 ends that soon.
    tiny_potential("nequip", tmp_path / "work", training={"epochs": 30, "learning_rate": 1e-12, "patience": 2})
    assert len(curve(the_folder(tmp_path / "work"))) < 15


@pytest.mark.parametrize("n_with_stress", [0, 3])
def test_labels_without_stress_train_too(tmp_path, n_with_stress):
    frames = tiny_frames(8)[:n_with_stress] + tiny_frames(8, with_stress=False)[n_with_stress:]
    fitted = family_class("nequip").fit(tiny_recipe("nequip"), frames[:6], frames[6:], tmp_path / "work")
    assert all(np.isfinite(value).all() for value in fitted.members[0].values())
    errors = [float(row["validation_force_mae_mev_a"]) for row in curve(the_folder(tmp_path / "work"))]
    assert np.isfinite(errors).all()


def test_stress_labels_enter_the_loss(tmp_path):
    """The same frames with and without their stresses give other weights."""
    first, second = [
        family_class("nequip").fit(tiny_recipe("nequip"), frames[:6], frames[6:], tmp_path / str(number))
        for number, frames in enumerate([tiny_frames(8), tiny_frames(8, with_stress=False)])
    ]
    assert farthest(first.members[0], second.members[0]) > 1e-6


def test_a_committee_is_of_different_networks_and_each_is_reproducible(tmp_path):
    fitted = tiny_potential("nequip", tmp_path / "work", committee=2)
    assert len(list((tmp_path / "work").iterdir())) == 2
    first, second = fitted.members
    assert farthest(first, second) > 1e-3
    alone = tiny_potential("nequip", tmp_path / "alone", seed=1)
    assert all((alone.members[0][name] == value).all() for name, value in second.items())


def test_no_validation_frame_is_refused(tmp_path):
    frames = tiny_frames(3)
    with pytest.raises(InputError, match="no validation frame"):
        family_class("nequip").fit(tiny_recipe("nequip"), frames, [], tmp_path / "work")
    assert not (tmp_path / "work").exists()


def test_labels_made_in_two_ways_are_refused(tmp_path):
    frames = tiny_frames(3)
    other = dataclasses.replace(frames[2], fingerprint=Fingerprint.declared("another Morse potential"))
    with pytest.raises(InputError, match="labels made in two ways"):
        family_class("nequip").fit(tiny_recipe("nequip"), frames[:2], [other], tmp_path / "work")


def test_one_thread_unless_told_otherwise(tmp_path):
    tiny_potential("nequip", tmp_path / "work", training={"epochs": 1})
    assert torch.get_num_threads() == 1
    origin = json.loads((the_folder(tmp_path / "work") / "network.json").read_text())
    assert origin["versions"]["torch"].startswith("2.")


def test_a_missing_compiler_is_named_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(RunError, match=r"no-such-compiler.*set training\.compile to false"):
        tiny_potential("nequip", tmp_path / "work", training={"compile": True})
    assert not (tmp_path / "work").exists()


def test_cuda_that_is_not_there_is_refused(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("a CUDA device is here")
    with pytest.raises(InputError, match="no CUDA device"):
        tiny_potential("nequip", tmp_path / "work", training={"device": "cuda"})


@pytest.mark.slow
def test_a_compiled_training_step_trains_the_same_network(tmp_path):
    eager = tiny_potential("nequip", tmp_path / "eager")
    compiled = tiny_potential("nequip", tmp_path / "compiled", training={"compile": True})
    # Float64: another order of sums, through three epochs of Adam.
    assert farthest(eager.members[0], compiled.members[0]) < 1e-6
