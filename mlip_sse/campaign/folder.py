"""A campaign's folder: one spec, one driver at a time, and files that are there whole or not at all.

```
FOLDER/spec.yaml        the spec as it was given       FOLDER/rounds/000.json   what each round did
FOLDER/campaign.json    its hash, and the clock        FOLDER/answer.json       the answer
FOLDER/tasks/           labels, fits, dynamics         FOLDER/dataset/          all labelled frames
FOLDER/potential/       the potential of the answer    FOLDER/trajectories/     the dynamics of the answer
```
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from mlip_sse.campaign.learning_specs import LearningSpec
from mlip_sse.dataset import Dataset
from mlip_sse.dataset.whole_files import write_json_whole, written_whole
from mlip_sse.errors import FormatError, InputError
from mlip_sse.provenance import package_version, sha256_of_file

__all__ = ["ANSWER_FILE", "ROUNDS_FOLDER", "CampaignFolder"]

SPEC_FILE = "spec.yaml"
STATE_FILE = "campaign.json"
ANSWER_FILE = "answer.json"
ROUNDS_FOLDER = "rounds"
POTENTIAL_FOLDER = "potential"
DATASET_FOLDER = "dataset"
TRAJECTORIES_FOLDER = "trajectories"


class CampaignFolder:
    """Where a campaign lies.

    Parameters
    ----------
    path
        The folder; made when `open` is called.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()

    @property
    def potential(self) -> Path:
        """The folder of the potential of the answer."""
        return self.path / POTENTIAL_FOLDER

    @property
    def trajectories(self) -> Path:
        """The folder of the dynamics of the answer."""
        return self.path / TRAJECTORIES_FOLDER

    @contextmanager
    def opened(self, spec: LearningSpec) -> Iterator[Dataset]:
        """Hold the folder for this process, and give its dataset; the hold ends with the process, however it ends.

        Raises
        ------
        InputError
            When another process holds it, it belongs to another spec, or holds something else.
        """
        self._require_ours()
        self.path.mkdir(parents=True, exist_ok=True)
        with open(self.path / ".driver", "a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise InputError(
                    f"{self.path}: another process runs this campaign, expected one at a time: wait for it, or end it"
                ) from error
            self._take(spec)
            (self.path / ROUNDS_FOLDER).mkdir(exist_ok=True)
            yield Dataset(self.path / DATASET_FOLDER, create=True)

    def _require_ours(self) -> None:
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"{self.path}: found a file, expected a folder or nothing: choose another place")
        known = (self.path / STATE_FILE).is_file() or (self.path / ".driver").is_file()
        if self.path.is_dir() and any(self.path.iterdir()) and not known:
            raise InputError(f"{self.path}: found other files, expected a campaign or an empty folder: choose another")

    def _take(self, spec: LearningSpec) -> None:
        """Note the spec in a new folder; in an old one require the same."""
        digest = spec_digest(spec)
        if (self.path / STATE_FILE).is_file():
            known = self.state().get("spec_sha256")
            if known != digest:
                raise InputError(
                    f"{self.path}: found the campaign of another spec, {str(known)[:12]}, expected {digest[:12]}: "
                    "choose another folder, or give the spec that lies in it"
                )
            return
        with written_whole(self.path / SPEC_FILE) as stream:
            yaml.safe_dump(spec.model_dump(mode="json", exclude_none=True), stream, sort_keys=False, allow_unicode=True)
        write_json_whole(
            self.path / STATE_FILE,
            {"spec_sha256": digest, "version": package_version(), "learning_s": 0.0},
        )

    def state(self) -> dict[str, Any]:
        """Return what `campaign.json` says: the spec's hash, and the seconds of learning so far.

        Raises
        ------
        FormatError
            When it is damaged.
        """
        return _read_json(self.path / STATE_FILE)

    def kept_recipe(self, recipe: Mapping[str, Any]) -> dict[str, Any]:
        """Return the recipe that the campaign began with; a recipe that changed in the meantime changes nothing."""
        state = self.state()
        if "recipe" not in state:
            state["recipe"] = dict(recipe)
            write_json_whole(self.path / STATE_FILE, state)
        found: dict[str, Any] = state["recipe"]
        return found

    def add_learning_time(self, seconds: float) -> float:
        """Add to the clock of learning, which runs over all calls; return its new value in s."""
        state = self.state()
        state["learning_s"] = float(state.get("learning_s", 0.0)) + seconds
        write_json_whole(self.path / STATE_FILE, state)
        return float(state["learning_s"])

    def round(self, number: int) -> dict[str, Any] | None:
        """Return what a round left, None where there is nothing yet."""
        path = self._round_file(number)
        return _read_json(path) if path.is_file() else None

    def write_round(self, document: Mapping[str, Any]) -> None:
        """Put what is known of a round in place."""
        write_json_whole(self._round_file(int(document["number"])), document)

    def answer(self) -> dict[str, Any] | None:
        """Return the answer, None where there is none yet."""
        path = self.path / ANSWER_FILE
        return _read_json(path) if path.is_file() else None

    def write_answer(self, document: Mapping[str, Any]) -> None:
        """Put the answer in place."""
        with written_whole(self.path / ANSWER_FILE) as stream:
            json.dump(document, stream, ensure_ascii=False, allow_nan=False, indent=2)
            stream.write("\n")

    def relative(self, path: str | Path) -> str:
        """Return a path inside the folder as seen from it."""
        return os.path.relpath(Path(path).absolute(), self.path)

    def _round_file(self, number: int) -> Path:
        return self.path / ROUNDS_FOLDER / f"{number:03d}.json"


def spec_digest(spec: LearningSpec) -> str:
    """Return the sha256 of all that decides a campaign: its settings, and the content of its structure files."""
    plain = spec.identity()
    for key, file in spec.files.items():
        if not Path(file).is_file():
            raise InputError(f"{key}: found no file {file!r}, expected a structure")
        *sections, name = key.split(".")
        section = plain
        for each in sections:
            section = section[each]
        section[name] = sha256_of_file(file)
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FormatError(f"{path}: found no readable JSON ({error}), expected what mlip-sse wrote") from error
    if not isinstance(found, dict):
        raise FormatError(f"{path}: found {type(found).__name__}, expected what mlip-sse wrote")
    return found
