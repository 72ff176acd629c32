"""A campaign that POD explores and a network answers, killed while the network is trained."""

import csv
import os
import signal
import time

import pytest
import yaml

from mlip_sse.campaign.folder import CampaignFolder
from mlip_sse.potentials import load_potential
from mlip_sse.potentials.equivariant.watch import CURVE_FILE
from tests.campaign.toy import PLAIN, RECIPE
from tests.cli.conftest import program
from tests.potentials.lammps_plugin.conftest import plugin, shared_folder
from tests.slow.test_campaign_kills import wait_for_the_end_of_all
from tests.slow.toy_driver import Driver, finished, require_whole

__all__ = ["plugin", "program", "shared_folder"]  # fixtures

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("lammps_plugin")]

EPOCHS = 60
NETWORK = {
    "family": "nequip",
    "description": "a tiny network for tests",
    "cutoff": 4.0,
    "layers": 1,
    "features": 4,
    "radial_width": 8,
    "training": {"epochs": EPOCHS, "batch_size": 4},
    "domain": RECIPE["domain"],
}
SHORT = {"production_ps": 2.0, "cell_ps": 0.4, "settle_ps": 0.2, "probe_ps": 0.8, "teacher_ps": 0.2}


@pytest.fixture(scope="module")
def done(plugin, tmp_path_factory):
    """Kill a campaign with all its processes at an epoch of the last fit, and run it to its end."""
    place = tmp_path_factory.mktemp("final")
    (place / "network.yaml").write_text(yaml.safe_dump(NETWORK))
    driver = Driver.of(
        place,
        final=os.fspath(place / "network.yaml"),
        production={**PLAIN["production"], **SHORT},
        budget={"labels": 80, "rounds": 1},
    )
    caller = driver.start()
    while caller.poll() is None and not epochs(driver.folder):
        time.sleep(0.05)
    assert epochs(driver.folder), driver.said()
    os.killpg(caller.pid, signal.SIGKILL)
    caller.wait()
    wait_for_the_end_of_all(driver.folder)
    known, trained = finished(driver.folder), epochs(driver.folder)
    outcome = driver.finish()
    assert {path: finished(driver.folder)[path] for path in known} == known
    return driver, trained, outcome


def epochs(folder):
    """Return the rows of the learning curve, empty before the first epoch."""
    (path,) = list(folder.glob(f"tasks/*/work/*/{CURVE_FILE}")) or [None]
    return [] if path is None else list(csv.DictReader(path.read_text().splitlines()))


def test_a_killed_training_goes_on_at_its_last_epoch(done):
    driver, trained, _ = done
    rows = epochs(driver.folder)
    print(f"killed after {len(trained)} of {EPOCHS} epochs")
    assert [int(row["epoch"]) for row in rows] == list(range(1, EPOCHS + 1))
    assert rows[: len(trained)] == trained  # with the seconds that they took
    require_whole(driver.folder)


def test_the_network_learnt_from_all_labels_and_gave_the_answer(done):
    driver, _, outcome = done
    folder = CampaignFolder(driver.folder)
    last = folder.round(len(outcome.rounds) - 1)
    potential = load_potential(folder.potential)
    assert potential.card.family == "nequip"
    assert potential.card.temperature_k == (300.0, 2000.0)
    assert potential.card.data["n_train"] == last["potential"]["n_train"]
    assert potential.card.data["n_validation"] == last["potential"]["n_held_out"]
    assert load_potential(folder.path / last["potential"]["path"]).card.family == "pod"
    decks = [path.read_text() for path in folder.path.glob("tasks/*/segment_0000/in.lammps")]
    with_network = [deck for deck in decks if "pair_style nequip" in deck]
    assert len(with_network) == len(PLAIN["temperatures_k"])  # no run of a member
    assert len(list(folder.trajectories.iterdir())) == len(PLAIN["temperatures_k"])


def test_the_answer_says_what_a_network_lacks(done):
    _, _, outcome = done
    answer, force = outcome.answer, outcome.rounds[-1]["errors"]["force_ev_a"]["rmse"]
    assert "2 committee members were asked for, the potential has 0 to run" in answer["reasons"]
    assert any("run at least two committee members" in each for each in answer["missing"])
    doubt = "the final potential's forces are"  # 60 epochs of four features against a POD
    assert any(each.startswith(doubt) and f"explored {1000 * force:.0f}:" in each for each in answer["reasons"])
    assert all(row["relative_errors"]["committee"] is None for row in answer["temperatures"])
    assert answer["verdict"] == "not resolved"
    assert answer["softening"]["n_frames"] == answer["labels"]["n_checked"] > 1
    assert answer["teacher_check"] is not None
    assert answer["pressure_offset_gpa"] is not None


def test_the_same_command_again_does_nothing_twice(done, program):
    driver, _, outcome = done
    before = finished(driver.folder)
    (driver.folder / "answer.json").unlink()
    again = driver.finish()
    assert finished(driver.folder) == before
    assert again == outcome
    report = program("report", driver.folder)
    assert report.code == 0, report.err
    page = (driver.folder / "report.html").read_text()
    assert "nequip</td>" in page
