"""A toy campaign as a process of its own, and what it left: for tests that disturb it."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from mlip_sse.dataset import Dataset
from mlip_sse.potentials.whole_folder import folder_digest
from tests.campaign.toy import REPOSITORY, toy_plain, without_clocks

EMBEDDED = {"scheduler": "embedded", "cores": 2}
FINISHED_PARTS = ("tasks/*/result.json", "tasks/*/segment_????/log.lammps", "tasks/*/piece_*.npz")


@dataclass(frozen=True)
class Driver:
    """The command of a campaign: a spec, a folder, an engine."""

    spec: Path
    folder: Path
    engine: Path

    @classmethod
    def of(cls, place, name="campaign", engine=EMBEDDED, **changes):
        place.mkdir(parents=True, exist_ok=True)
        (place / "toy.yaml").write_text(yaml.safe_dump(toy_plain(place, **changes)))
        (place / "engine.yaml").write_text(json.dumps(engine))
        return cls(place / "toy.yaml", place / name, place / "engine.yaml")

    def start(self, **environment):
        """Start it in a group of its own; what it says goes into a file beside the folder."""
        arguments = ["campaign", self.spec, "--out", self.folder, "--engine", self.engine]
        environment = {**os.environ, "PYTHONPATH": os.fspath(REPOSITORY), **environment}
        with open(self.folder.with_suffix(".said"), "w") as said:
            return subprocess.Popen(
                [sys.executable, "-m", "mlip_sse", *map(str, arguments)],
                stdout=said,
                stderr=said,
                env=environment,
                start_new_session=True,
            )

    def said(self):
        """Return the lines of the last start, without progress and warnings."""
        lines = self.folder.with_suffix(".said").read_text().splitlines()
        return [line for line in lines if not line.startswith((" ", "round", "warning:"))]

    def finish(self, limit_s=1200, **environment):
        """Run it to its end."""
        code = self.start(**environment).wait(limit_s)
        assert code == 0, self.said()
        return Outcome.of(self.folder)


@dataclass(frozen=True)
class Outcome:
    """What must be the same whatever happened on the way."""

    dataset: str
    potential: str
    rounds: list
    answer: dict

    @classmethod
    def of(cls, folder):
        rounds = [json.loads(path.read_text()) for path in sorted((folder / "rounds").glob("*.json"))]
        answer = without_clocks(json.loads((folder / "answer.json").read_text()))
        del answer["provenance"]["settings"]["potential"]  # where the recipe lay
        return cls(
            Dataset(folder / "dataset").digest,
            folder_digest(folder / "potential"),
            without_clocks(rounds),
            answer,
        )


def finished(folder):
    """Return what is finished, and when it was put in place: results, segments, pieces of dynamics."""
    found = {}
    for pattern in FINISHED_PARTS:
        for path in folder.glob(pattern):
            state = path.stat()
            found[path.relative_to(folder)] = (state.st_mtime_ns, state.st_ino)
    return found


def require_whole(folder):
    """Read all that a campaign keeps; nothing is half there."""
    for path in folder.rglob("*.json"):
        if not any(part.startswith(".") or part.endswith(".part") for part in path.relative_to(folder).parts):
            json.loads(path.read_text())
    if (folder / "dataset" / "dataset.json").is_file():
        assert len(list(Dataset(folder / "dataset"))) == len(Dataset(folder / "dataset"))
    for path in folder.glob("tasks/*/result.json"):
        result = json.loads(path.read_text())
        if "digest" in result:
            assert folder_digest(path.parent / "potential") == result["digest"]


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """Run the toy campaign once, and return its folder and outcome."""
    driver = Driver.of(tmp_path_factory.mktemp("undisturbed"))
    return driver.folder, driver.finish()
