"""The folder survives two writers and a writer that is killed; every frame is there once."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from ase.io import read

from mlip_sse.dataset import Added, Dataset, DatasetWarning, Fingerprint
from mlip_sse.errors import FormatError, InputError
from tests.dataset.labelled import OTHER, PRINT, copper


@pytest.fixture(scope="module")
def frames():
    return [copper(seed, group=f"run {seed % 3}", place=seed) for seed in range(9)]


def test_what_goes_in_comes_out(frames, tmp_path):
    dataset = Dataset(tmp_path / "d", create=True)
    assert dataset.add(frames[:5]) == Added(n_added=5, n_duplicates=0)
    assert dataset.add(frames).n_duplicates == 5
    again = Dataset(tmp_path / "d")
    assert again.ids == tuple(frame.id for frame in frames)
    assert again.groups == tuple(frame.group for frame in frames)
    assert again.compositions == {"Cu8": 9}
    for before, after in zip(frames, again, strict=True):
        assert after.id == before.id
        assert (after.energy, after.group, after.place) == (before.energy, before.group, before.place)
        np.testing.assert_array_equal(after.forces, before.forces)
        np.testing.assert_array_equal(after.stress, before.stress)
    assert again.fingerprint == PRINT
    assert frames[3] in again
    assert again[-1].id == frames[-1].id
    assert len(again[2:4]) == 2


def test_adding_rewrites_nothing(frames, tmp_path):
    dataset = Dataset(tmp_path, create=True)
    dataset.add(frames[:2])
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "frames").iterdir()}
    dataset.add(frames[2:4])
    assert all(path.stat().st_mtime_ns == time_ns for path, time_ns in before.items())
    assert len(list((tmp_path / "frames").iterdir())) == 4


def test_any_program_reads_the_shards(frames, tmp_path):
    Dataset(tmp_path, create=True).add(frames[:2])
    (shard,) = (tmp_path / "frames").glob("*.extxyz")
    first = read(shard, index=0)
    assert first.get_potential_energy() == frames[0].energy
    np.testing.assert_allclose(first.get_stress(), frames[0].stress, rtol=0, atol=1e-15)


def test_mixed_fingerprints_are_refused_unless_both_are_named(frames, tmp_path):
    dataset = Dataset(tmp_path, create=True)
    dataset.add(frames[:1])
    other = dataclasses.replace(frames[1], fingerprint=OTHER)
    with pytest.raises(InputError, match=f"{PRINT.digest}.*{OTHER.digest}.*code_version 1 and 2.*allow_mixed"):
        dataset.add([other])
    with pytest.raises(InputError, match="two ways"):
        dataset.add([other], allow_mixed=[OTHER.digest])
    assert len(Dataset(tmp_path)) == 1
    dataset.add([other], allow_mixed=[PRINT.digest, OTHER.digest])
    assert len(dataset.fingerprints) == 2
    with pytest.raises(InputError, match="expected labels of one fingerprint"):
        _ = dataset.fingerprint
    dataset.add([dataclasses.replace(frames[2], fingerprint=OTHER)])  # both ways are known by now


def test_two_ways_in_one_batch_are_refused_too(frames, tmp_path):
    dataset = Dataset(tmp_path, create=True)
    with pytest.raises(InputError, match="two ways"):
        dataset.add([frames[0], dataclasses.replace(frames[1], fingerprint=OTHER)])
    assert len(Dataset(tmp_path)) == 0


def test_reversed_stresses_are_warned_of(tmp_path):
    strained = [copper(seed, strain=0.01 * (seed - 2)) for seed in range(5)]
    dataset = Dataset(tmp_path, create=True)
    reversed_ = [dataclasses.replace(frame, stress=-frame.stress) for frame in strained]
    with pytest.warns(DatasetWarning, match="sign is probably reversed"):
        dataset.add(reversed_)


def test_labels_of_a_tested_reference_are_not_asked_for_their_sign(tmp_path):
    strained = [copper(seed, strain=0.01 * (seed - 2)) for seed in range(5)]
    falling = [dataclasses.replace(frame, stress=-frame.stress) for frame in strained]
    assert Dataset(tmp_path, create=True).add(falling, check_stress=False).n_added == 5


def test_damage_is_named(frames, tmp_path):
    Dataset(tmp_path, create=True).add(frames[:2])
    (shard,) = (tmp_path / "frames").glob("*.extxyz")
    shard.write_text(shard.read_text().replace("Cu", "Ag"))
    with pytest.raises(FormatError, match="missing or changed"):
        list(Dataset(tmp_path))
    (index,) = (tmp_path / "frames").glob("*.json")
    index.write_text("{")
    with pytest.raises(FormatError, match="found no JSON"):
        Dataset(tmp_path)
    index.write_text(json.dumps({"frames": []}))
    with pytest.raises(FormatError, match="index without 'fingerprints'"):
        Dataset(tmp_path)


def test_folders_that_are_no_datasets(tmp_path):
    with pytest.raises(FormatError, match=r"found no dataset\.json"):
        Dataset(tmp_path / "none")
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(FormatError, match="found other files"):
        Dataset(tmp_path, create=True)
    empty = Dataset(tmp_path / "new", create=True)
    with pytest.raises(InputError, match="found no frame"):
        empty.frame("abc")
    (tmp_path / "new" / "dataset.json").write_text('{"format": 7}')
    with pytest.raises(FormatError, match="found format 7"):
        Dataset(tmp_path / "new")


WRITER = """
    import dataclasses, sys
    from mlip_sse.dataset import Dataset
    from tests.dataset.labelled import copper
    dataset = Dataset(sys.argv[1], create=True)
    start, n = int(sys.argv[2]), int(sys.argv[3])
    base = copper(0)
    print("ready", flush=True)
    for seed in range(start, start + n):
        dataset.add([dataclasses.replace(base, cell=base.cell + 1e-4 * seed, place=seed)])
        print(seed, flush=True)
"""


def start_writer(folder, repository, start, n):
    command = [sys.executable, "-c", textwrap.dedent(WRITER), str(folder), str(start), str(n)]
    environment = {**os.environ, "PYTHONPATH": str(repository)}
    return subprocess.Popen(command, cwd=repository, env=environment, stdout=subprocess.PIPE, text=True)


def test_two_writers_at_once(tmp_path, repository):
    """Their ranges overlap by ten frames, which must be there once."""
    writers = [start_writer(tmp_path / "d", repository, start, 25) for start in (0, 15)]
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    dataset = Dataset(tmp_path / "d")
    assert sorted(frame.place for frame in dataset) == list(range(40))
    assert sum(1 for _ in (tmp_path / "d" / "frames").glob("*.json")) == 40


def test_a_killed_writer_leaves_a_dataset(tmp_path, repository):
    for attempt in range(3):
        writer = start_writer(tmp_path / "d", repository, 1000 * attempt, 1000)
        try:
            for _ in range(3 + 4 * attempt):
                writer.stdout.readline()
            time.sleep(0.003 * attempt)
        finally:
            writer.send_signal(signal.SIGKILL)
        rest = writer.communicate(timeout=20)[0].split()
        dataset = Dataset(tmp_path / "d")
        confirmed = set(map(int, rest)) | set(range(1000 * attempt, 1000 * attempt + 2 + 4 * attempt))
        assert confirmed <= {frame.place for frame in dataset}
    dataset.add([copper(99)])
    assert len(Dataset(tmp_path / "d")) == len(dataset)
    left = [path.name for path in (tmp_path / "d" / "frames").iterdir() if path.name.startswith(".")]
    assert not left


def test_a_killed_writer_before_the_index_left_nothing_that_counts(frames, tmp_path):
    dataset = Dataset(tmp_path, create=True)
    dataset.add(frames[:1])
    (index,) = (tmp_path / "frames").glob("*.json")
    (tmp_path / "frames" / "000002-deadbeef.extxyz").write_text("8\nhalf a")
    (tmp_path / "frames" / ".part-1-000002-deadbeef.json").write_text("{")
    assert len(Dataset(tmp_path)) == 1
    dataset.add(frames[1:2])

    assert len(list((tmp_path / "frames").iterdir())) == 4
    assert index.exists()


def test_a_declared_fingerprint_survives(frames, tmp_path):
    declared = Fingerprint.declared("PBE, 520 eV, VASP 5.4")
    Dataset(tmp_path, create=True).add([dataclasses.replace(frames[0], fingerprint=declared)])
    assert Dataset(tmp_path).fingerprint == declared
