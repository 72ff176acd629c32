"""Folders named by the sha256 of what they were made from, in which finished pieces of work are kept."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlip_sse.dataset.whole_files import write_json_whole
from mlip_sse.errors import FormatError

__all__ = ["KeptFolder", "seed_from"]

INPUT = "input"


def _digest(inputs: Mapping[str, Any]) -> str:
    text = json.dumps(inputs, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def seed_from(inputs: Mapping[str, Any]) -> int:
    """Return a seed made of everything that decides a piece of work, so that no two share their random numbers."""
    return int(_digest(inputs)[:15], 16)


class KeptFolder:
    """One folder of pieces, each a JSON file that is there whole or not at all.

    Parameters
    ----------
    path
        Where it lies.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, parent: Path, inputs: Mapping[str, Any]) -> "KeptFolder":
        """Return the folder of some inputs, made where it is missing."""
        folder = cls(parent / _digest(inputs))
        folder.path.mkdir(parents=True, exist_ok=True)
        if folder.read(INPUT) is None:
            folder.write(INPUT, inputs)
        return folder

    def read(self, name: str) -> dict[str, Any] | None:
        """Return a piece, or None where it is not there yet.

        Raises
        ------
        FormatError
            When the file is damaged.
        """
        path = self.path / f"{name}.json"
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise FormatError(f"{path}: found no JSON ({error}), remove it to make it again") from error
        if not isinstance(data, dict):
            raise FormatError(f"{path}: found a {type(data).__name__}, remove it to make it again")
        return data

    def write(self, name: str, data: Mapping[str, Any]) -> None:
        """Put a piece in place, at once."""
        write_json_whole(self.path / f"{name}.json", dict(data))
