"""Weights as plain numbers: nothing in a potential's files can run, and what does not fit is refused in one line."""

import io
import json
import os
import pickle
import zipfile

import numpy as np
import pytest

from mlip_sse.errors import FormatError, MissingExtraError
from mlip_sse.potentials import load_potential
from mlip_sse.potentials.equivariant import runtime
from mlip_sse.potentials.equivariant.network import read_network_file, read_weights, weights_bytes
from mlip_sse.provenance import sha256_of_file
from tests.potentials.equivariant.tiny import tiny_frames, tiny_potential

pytest.importorskip("torch")
pytest.importorskip("nequip")
pytestmark = pytest.mark.filterwarnings("ignore")


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.fixture(scope="module")
def potential(tmp_path_factory):
    return tiny_potential("nequip", tmp_path_factory.mktemp("fit") / "work")


@pytest.fixture
def saved(potential, tmp_path):
    return potential.save(tmp_path / "potential")


def give_card_the_new_sha256(folder, name):
    card = json.loads((folder / "card.json").read_text())
    card["sha256"][name] = sha256_of_file(folder / name)
    (folder / "card.json").write_text(json.dumps(card))


def test_weights_come_back_and_their_bytes_are_reproducible(tmp_path):
    weights = {"b": np.arange(6.0).reshape(2, 3), "a": np.float64(2.0)}
    content = weights_bytes(weights)
    assert content == weights_bytes(dict(reversed(weights.items())))
    (tmp_path / "w.npz").write_bytes(content)
    found = read_weights(tmp_path / "w.npz")
    assert found.keys() == weights.keys()
    np.testing.assert_array_equal(found["b"], weights["b"])


def test_save_and_load_give_the_same_numbers(potential, saved):
    atoms = tiny_frames(1, seed=3)[0].to_atoms()
    results = []
    for each in (potential, load_potential(saved)):
        atoms.calc = each.calculator(compiled=False)
        results.append((atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress()))
    for first, second in zip(*results, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("kind", ["plain pickle", "object array", "torch file"])
def test_a_pickle_in_a_model_file_is_never_executed(saved, tmp_path, kind):
    import torch

    trap = tmp_path / "executed"
    target = saved / "weights-0.npz"
    if kind == "plain pickle":
        target.write_bytes(pickle.dumps(Bomb(trap)))
    elif kind == "torch file":
        torch.save({"a": Bomb(trap)}, target)
    else:
        array = np.empty(1, dtype=object)
        array[0] = Bomb(trap)
        stream = io.BytesIO()
        np.lib.format.write_array(stream, array, allow_pickle=True)
        with zipfile.ZipFile(target, "w") as archive:
            archive.writestr("a.npy", stream.getvalue())
    give_card_the_new_sha256(saved, "weights-0.npz")
    with pytest.raises(FormatError, match="pickles are never loaded") as caught:
        load_potential(saved)
    assert "\n" not in str(caught.value)
    assert not trap.exists()


def test_a_changed_file_is_refused(saved):
    with open(saved / "weights-0.npz", "ab") as stream:
        stream.write(b"x")
    with pytest.raises(FormatError, match="sha256"):
        load_potential(saved)


def test_weights_of_another_release_of_nequip_are_refused(saved):
    path = saved / "network.json"
    plain = json.loads(path.read_text())
    plain["versions"]["nequip"] = "0.5.6"
    path.write_text(json.dumps(plain))
    give_card_the_new_sha256(saved, "network.json")
    with pytest.raises(FormatError, match=r"found nequip 0\.5\.6, expected .* pip install 'nequip==0\.5\.6'"):
        load_potential(saved)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "found format 2, expected 1"),
        ({"_target_": "os.mkdir"}, "unknown key '_target_'"),
        ({"energy_scales": [1.0]}, "scales of other elements"),
    ],
)
def test_a_network_file_that_does_not_fit_is_refused(potential, tmp_path, change, message):
    path = tmp_path / "network.json"
    path.write_text(json.dumps({**json.loads(potential.network.model_dump_json()), **change}))
    with pytest.raises(FormatError, match=message):
        read_network_file(path)


def test_weights_of_another_architecture_are_refused(potential, tmp_path):
    other = tiny_potential("nequip", tmp_path / "work", features=5, training={"epochs": 1})
    mixed = type(potential)(potential.recipe, potential.network, other.members, potential.card)
    with pytest.raises(FormatError, match="weights of another network"):
        mixed.calculator(compiled=False).get_potential_energy(tiny_frames(1)[0].to_atoms())


def test_without_nequip_the_extra_is_named(saved, monkeypatch):
    monkeypatch.setattr(runtime, "PACKAGES", ("nequip", "a-package-that-is-not-there"))
    with pytest.raises(MissingExtraError, match=r"pip install 'mlip-sse\[nequip\]'"):
        load_potential(saved)
