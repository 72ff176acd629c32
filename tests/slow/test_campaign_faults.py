"""A campaign on bad days: a reference that fails, hangs and gives NaN; a disk that is full, more than once."""

import json
import os
import subprocess

import pytest

from mlip_sse.dataset import Dataset
from mlip_sse.engine import TaskFolder
from tests.campaign.toy_teacher import mood
from tests.slow.toy_driver import Driver, require_whole, undisturbed

__all__ = ["undisturbed"]  # a fixture

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("toy_campaign")]

MOODY = {
    "reference": {"kind": "ase", "calculator": "tests.campaign.toy_teacher:MoodySalt", "time_limit_s": 6.0},
    "seeds": {"relax_steps": 2, "strained": 8, "rattled": 16, "displaced": 8, "contacts": 6},
    "budget": {"labels": 90, "rounds": 2},
}
REASONS = {"fails": "the electrons did not converge", "hangs": "ran out of time after 6 s", "nan": "found nan in the"}


def test_a_moody_reference(tmp_path):
    """Hanging frames cost their time limit; the teacher's own dynamics is left out, as it would hang for hours."""
    from tests.campaign.toy import PLAIN

    driver = Driver.of(tmp_path, **MOODY, production={**PLAIN["production"], "teacher_ps": 0})
    assert driver.start().wait(1200) == 0, driver.said()
    labels = [TaskFolder(path.parent) for path in driver.folder.glob("tasks/*/input.json") if is_label(path)]
    moods = {task.path.name: mood(task.inputs()["positions"]) for task in labels}
    for task in labels:
        found = moods[task.path.name]
        assert task.is_done == (found == "well")
        if found != "well":
            assert REASONS[found] in task.failure().reason
    assert {mood(frame.positions) for frame in Dataset(driver.folder / "dataset")} == {"well"}
    rounds = [json.loads(path.read_text()) for path in sorted((driver.folder / "rounds").glob("*.json"))]
    failures = [each for document in rounds for each in document["labels"]["failures"]]
    assert len({each["frame"] for each in failures}) == len(failures)
    named = [each["reason"] for each in failures]
    assert all("\n" not in reason for reason in named)
    for name, reason in REASONS.items():
        n_bad, n_named = sum(each == name for each in moods.values()), sum(reason in each for each in named)
        print(f"{n_bad} structures on which it {name}, {n_named} named in the rounds")
        assert 1 <= n_named <= n_bad  # a few were asked for after the rounds, along the production
    for document in rounds:
        counts = document["labels"]
        assert counts["n_asked"] == counts["n_labelled"] + counts["n_failed"]
    assert sum(document["labels"]["n_failed"] for document in rounds) >= 1
    assert json.loads((driver.folder / "answer.json").read_text())["verdict"] in ("resolved", "not resolved")
    require_whole(driver.folder)


def is_label(path):
    return "symbols" in json.loads(path.read_text())


def test_a_full_disk(undisturbed, tmp_path):
    """On a file system that holds a third, then two thirds of the campaign, then all: two clean stops, the same end."""
    folder, expected = undisturbed
    n_bytes = sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
    place = tmp_path / "small"
    place.mkdir()
    if not mounted(place, n_bytes // 3):
        pytest.skip("mounting a small file system needs root")
    try:
        driver = Driver.of(tmp_path, name="small/campaign")
        for part in (1, 2):
            if part > 1:
                assert mounted(place, part * n_bytes // 3, "remount,")
            assert driver.start().wait(1200) == 1
            (line,) = driver.said()
            print(line)
            assert "No space left on device" in line
            assert "free some space" in line
            require_whole(driver.folder)
        assert mounted(place, 4 * n_bytes, "remount,")
        assert driver.finish() == expected
    finally:
        subprocess.run(["umount", "-l", os.fspath(place)], check=True)


def mounted(place, n_bytes, more=""):
    options = f"{more}size={n_bytes // 1024}k"
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", os.fspath(place)], capture_output=True)
    return done.returncode == 0
