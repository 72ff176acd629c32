"""What a campaign's folder holds, read without trust: plain files of bounded size, and none outside of it."""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from mlip_sse.errors import FormatError, InputError
from mlip_sse.report.untrusted import mapping, text

__all__ = ["CampaignRecord", "FileEntry", "inside", "read_campaign", "state_of_files"]

ROUNDS_FOLDER = "rounds"
ANSWER_FILE = "answer.json"
STATE_FILE = "campaign.json"
SPEC_FILE = "spec.yaml"
CARD_FILE = "potential/card.json"

_MOST_JSON_BYTES = 128 << 20
_MOST_SPEC_BYTES = 256 << 10
_MOST_ROUNDS = 1001
_MOST_FILES = 3000
_ROUND_FILE = re.compile(r"^\d{3,4}\.json$")


@dataclass(frozen=True)
class FileEntry:
    """A file, or a task's folder, as the page lists it.

    Parameters
    ----------
    path
        Seen from the campaign's folder, with slashes.
    size_bytes
        Of the file, or of all files in the folder.
    n_files
        1, or how many files the folder holds.
    """

    path: str
    size_bytes: int
    n_files: int = 1


@dataclass(frozen=True)
class CampaignRecord:
    """A campaign as it lies on disk.

    Parameters
    ----------
    folder
        Resolved.
    spec, spec_text
        Parsed, and as it was given.
    state
        Of ``campaign.json``.
    rounds
        In order; round 0 holds the seeds.
    answer
        None while there is none.
    card
        Of the potential of the answer.
    files
        All files, those of a task together.
    n_unlisted
        Files beyond the longest list.
    """

    folder: Path
    spec: Mapping[str, Any] = field(default_factory=dict)
    spec_text: str = ""
    state: Mapping[str, Any] = field(default_factory=dict)
    rounds: tuple[Mapping[str, Any], ...] = ()
    answer: Mapping[str, Any] | None = None
    card: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[FileEntry, ...] = ()
    n_unlisted: int = 0

    @property
    def mobile(self) -> str:
        """The ion that moves; Li where nobody says."""
        found = text(self.spec.get("mobile"), 3)
        return found if re.fullmatch(r"[A-Z][a-z]?", found) else "Li"

    @property
    def title(self) -> str:
        """What the campaign is about, in a few words."""
        structure = mapping(self.spec.get("structure"))
        name = text(structure.get("crystal"), 80) or os.path.basename(text(structure.get("file"), 200))
        return name or text(self.spec.get("description"), 80) or self.folder.name

    @property
    def reference(self) -> str:
        """What made the labels: the kind of the reference, ``surrogate`` where it is known to be a model."""
        kind = text(mapping(self.spec.get("reference")).get("kind", "chgnet"), 20)
        method = mapping(self.card.get("fingerprint")).get("method")
        return "surrogate" if kind == "chgnet" or method == "surrogate" else kind

    @property
    def last_round(self) -> Mapping[str, Any]:
        """The latest round; empty where there is none yet."""
        return self.rounds[-1] if self.rounds else {}


def inside(folder: Path, path: str | Path) -> Path | None:
    """Return the file that a path in a campaign names, None where it is no plain file in the folder, links resolved."""
    try:
        found = (folder / path).resolve()
        ours = found.is_relative_to(folder.resolve()) and found.is_file()
    except (OSError, ValueError, RuntimeError):  # a null character, a loop of links
        return None
    return found if ours else None


def read_campaign(folder: str | Path) -> CampaignRecord:
    """Read a campaign's folder, whether it has ended or not.

    Parameters
    ----------
    folder
        Of `mlip-sse campaign`.

    Raises
    ------
    InputError
        When there is no folder, or it is not a campaign's.
    FormatError
        When a file of it is damaged.
    """
    place = Path(folder)
    if not place.is_dir():
        raise InputError(f"{folder}: found {'a file' if place.exists() else 'nothing'}, expected a campaign's folder")
    place = place.resolve()
    if inside(place, STATE_FILE) is None and inside(place, ANSWER_FILE) is None and not _round_files(place):
        raise InputError(
            f"{folder}: found neither {STATE_FILE} nor {ROUNDS_FOLDER}/ nor {ANSWER_FILE}, expected a campaign's "
            "folder: make one with mlip-sse campaign SPEC"
        )
    spec, spec_text = _read_spec(place)
    files, n_unlisted = _listed(place)
    return CampaignRecord(
        folder=place,
        spec=spec,
        spec_text=spec_text,
        state=_read_json(place, STATE_FILE) or {},
        rounds=tuple(_read_json(place, name) or {} for name in _round_files(place)),
        answer=_read_json(place, ANSWER_FILE),
        card=_read_json(place, CARD_FILE) or {},
        files=files,
        n_unlisted=n_unlisted,
    )


def state_of_files(folder: Path) -> str:
    """Return a digest that changes when a round, the answer or the spec does."""
    digest = hashlib.sha256()
    for name in (SPEC_FILE, ANSWER_FILE, CARD_FILE, *_round_files(folder)):
        found = inside(folder, name)
        try:
            status = None if found is None else found.stat()
        except OSError:
            status = None
        digest.update(repr((name, status and (status.st_mtime_ns, status.st_size))).encode())
    return digest.hexdigest()


def _round_files(folder: Path) -> list[str]:
    try:
        names = sorted((name for name in os.listdir(folder / ROUNDS_FOLDER) if _ROUND_FILE.match(name)), key=_order)
    except OSError:
        return []
    found = [f"{ROUNDS_FOLDER}/{name}" for name in names[:_MOST_ROUNDS]]
    return [name for name in found if inside(folder, name) is not None]


def _order(name: str) -> int:
    return int(name.split(".")[0])


def _read_json(folder: Path, name: str) -> dict[str, Any] | None:
    """Return what a file says, None where there is none."""
    path = inside(folder, name)
    if path is None:
        return None
    try:
        size = path.stat().st_size
        if size > _MOST_JSON_BYTES:
            raise FormatError(f"{folder / name}: found {size} bytes, expected at most {_MOST_JSON_BYTES}")
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise FormatError(
            f"{folder / name}: cannot be read ({error.strerror}), expected what mlip-sse wrote"
        ) from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(
            f"{folder / name}: found no readable JSON ({text(str(error), 120)}), is it damaged?"
        ) from error
    if not isinstance(found, dict):
        raise FormatError(f"{folder / name}: found a {type(found).__name__}, expected what mlip-sse wrote")
    return found


def _read_spec(folder: Path) -> tuple[Mapping[str, Any], str]:
    path = inside(folder, SPEC_FILE)
    if path is None:
        return {}, ""
    try:
        if path.stat().st_size > _MOST_SPEC_BYTES:
            raise FormatError(f"{folder / SPEC_FILE}: found over {_MOST_SPEC_BYTES} bytes, expected a campaign's spec")
        written = path.read_text(encoding="utf-8")
        found = yaml.safe_load(written)
    except OSError as error:
        raise FormatError(f"{folder / SPEC_FILE}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"{folder / SPEC_FILE}: found no readable YAML ({text(str(error), 120)})") from error
    return mapping(found), written


def _listed(folder: Path) -> tuple[tuple[FileEntry, ...], int]:
    """Return files and task folders, in order; links to other places are named and not followed."""
    entries: dict[str, FileEntry] = {}
    n_unlisted = 0
    for at, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(at) / name
            relative = path.relative_to(folder)
            try:
                size = path.lstat().st_size
            except OSError:
                continue
            if name.startswith("."):
                continue
            is_task = relative.parts[0] == "tasks" and len(relative.parts) > 2
            key = "/".join(relative.parts[:2]) + "/" if is_task else relative.as_posix()
            if key not in entries and len(entries) >= _MOST_FILES:
                n_unlisted += 1
                continue
            known = entries.get(key)
            entries[key] = FileEntry(
                key, size + (known.size_bytes if known else 0), 1 + (known.n_files if known else 0)
            )
    return tuple(entries[key] for key in sorted(entries)), n_unlisted
