"""A dataset is a folder: shards of extended XYZ, each with its index; adding writes a new shard and touches no old one.

```
dataset.json                       the format
frames/000001-3fa4b2c1.extxyz      any program reads it
frames/000001-3fa4b2c1.json        its sha256, and for each frame id, group, place, formula, fingerprint
```
A shard counts from the moment its index is in place, which `os.replace` does at once: a process that is killed leaves
at most a shard without an index, which is not read. One process writes at a time (a lock that ends with the process).
"""

import hashlib
import json
import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

from mlip_sse.dataset.fingerprint import Fingerprint
from mlip_sse.dataset.frame import LabelledFrame
from mlip_sse.dataset.frame_text import frame_text, read_shard
from mlip_sse.dataset.plausibility import DatasetWarning, doubts_about_stress
from mlip_sse.dataset.whole_files import LEFT_OVER, locked, write_json_whole, written_whole
from mlip_sse.errors import FormatError, InputError
from mlip_sse.provenance import sha256_of_file

__all__ = ["Added", "Dataset"]

HEADER_FILE = "dataset.json"
FRAMES_FOLDER = "frames"
FORMAT = 1
_FRAMES_PER_SHARD = 1000


@dataclass(frozen=True)
class Added:
    """What `Dataset.add` did."""

    n_added: int
    n_duplicates: int


@dataclass(frozen=True)
class _Place:
    """Where a frame lies, and what the index says of it."""

    shard: Path
    row: int
    group: str
    formula: str
    fingerprint: str


class Dataset(Sequence[LabelledFrame]):
    """Labelled frames in a folder, each there once, all labelled alike.

    Parameters
    ----------
    folder
        Where it lies. It is made when ``create`` is true and nothing is there.
    create
        Whether a missing folder is made rather than refused.

    Raises
    ------
    FormatError
        When the folder is not a dataset, or is damaged.
    """

    def __init__(self, folder: str | Path, create: bool = False) -> None:
        self.folder = Path(folder)
        if not (self.folder / HEADER_FILE).is_file():
            if not create:
                raise FormatError(f"{self.folder}: found no {HEADER_FILE}, expected a dataset's folder")
            self._make()
        self._rows: dict[Path, list[dict[str, Any]]] = {}
        self._prints: dict[str, Fingerprint] = {}
        self._places: dict[str, _Place] = {}
        self._order: list[str] = []
        self._loaded: dict[Path, list[LabelledFrame]] = {}
        self.refresh()

    def _make(self) -> None:
        if self.folder.is_dir() and any(self.folder.iterdir()) and not (self.folder / ".lock").exists():
            raise FormatError(f"{self.folder}: found other files, expected a dataset, an empty folder or none")
        (self.folder / FRAMES_FOLDER).mkdir(parents=True, exist_ok=True)
        with locked(self.folder):
            if not (self.folder / HEADER_FILE).is_file():
                write_json_whole(self.folder / HEADER_FILE, {"format": FORMAT})

    def refresh(self) -> None:
        """Take in what other processes added since the folder was opened."""
        header = _read_json(self.folder / HEADER_FILE)
        if header.get("format") != FORMAT:
            raise FormatError(f"{self.folder}: found format {header.get('format')!r}, expected {FORMAT}")
        for path in sorted((self.folder / FRAMES_FOLDER).glob("[0-9]*.json")):
            if path not in self._rows:
                self._take_index(path)

    def _take_index(self, path: Path) -> None:
        index = _read_json(path)
        try:
            self._prints |= {digest: Fingerprint.parse(data) for digest, data in index["fingerprints"].items()}
            for number, row in enumerate(index["frames"]):
                if row["id"] not in self._places:
                    self._order.append(row["id"])
                    self._places[row["id"]] = _Place(path, number, row["group"], row["formula"], row["fingerprint"])
        except (KeyError, TypeError, AttributeError) as error:
            raise FormatError(f"{path}: found an index without {error}, expected one that mlip-sse wrote") from error
        self._rows[path] = index["frames"]

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all frames, in the order they were added."""
        return tuple(self._order)

    @property
    def digest(self) -> str:
        """The sha256 of the ids of all frames, whatever their order: equal where the same frames lie in it."""
        return hashlib.sha256("\n".join(sorted(self._order)).encode()).hexdigest()

    @property
    def groups(self) -> tuple[str, ...]:
        """The group of each frame."""
        return tuple(self._places[id_].group for id_ in self._order)

    @property
    def fingerprints(self) -> tuple[Fingerprint, ...]:
        """The ways the labels were made: one, unless mixing was asked for."""
        merged: list[Fingerprint] = []
        for digest in sorted(self._prints):
            found = self._prints[digest]
            for at, known in enumerate(merged):
                if not known.difference(found):
                    merged[at] = known.merged(found)
                    break
            else:
                merged.append(found)
        return tuple(merged)

    @property
    def fingerprint(self) -> Fingerprint:
        """The one way the labels were made.

        Raises
        ------
        InputError
            When the dataset is empty or holds several.
        """
        found = self.fingerprints
        if len(found) != 1:
            names = "; ".join(f"{each.digest}: {each.describe()}" for each in found) or "no frame"
            raise InputError(f"{self.folder}: found {names}, expected labels of one fingerprint")
        return found[0]

    @property
    def compositions(self) -> dict[str, int]:
        """How many frames of each formula, from the index alone."""
        return dict(Counter(place.formula for place in self._places.values()))

    def __len__(self) -> int:
        return len(self._order)

    def __contains__(self, frame: object) -> bool:
        return (frame.id if isinstance(frame, LabelledFrame) else frame) in self._places

    @overload
    def __getitem__(self, key: int) -> LabelledFrame: ...
    @overload
    def __getitem__(self, key: slice) -> tuple[LabelledFrame, ...]: ...
    def __getitem__(self, key: int | slice) -> LabelledFrame | tuple[LabelledFrame, ...]:
        if isinstance(key, slice):
            return tuple(self.frame(id_) for id_ in self._order[key])
        return self.frame(self._order[key])

    def __iter__(self) -> Iterator[LabelledFrame]:
        return (self.frame(id_) for id_ in list(self._order))

    def frame(self, id_: str) -> LabelledFrame:
        """Return the frame with an id.

        Raises
        ------
        InputError
            When there is none.
        """
        place = self._places.get(id_)
        if place is None:
            raise InputError(f"{self.folder}: found no frame {id_[:12]!r}, expected one of its {len(self)} ids")
        if place.shard not in self._loaded:
            self._loaded[place.shard] = self._load(place.shard)
        return self._loaded[place.shard][place.row]

    def _load(self, index: Path) -> list[LabelledFrame]:
        shard = index.with_suffix(".extxyz")
        wanted = _read_json(index)["sha256"]
        if not shard.is_file() or sha256_of_file(shard) != wanted:
            raise FormatError(f"{shard}: found it missing or changed, expected sha256 {wanted[:12]}…: restore it")
        try:
            return read_shard(shard, self._rows[index], self._prints)
        except (ValueError, LookupError) as error:
            raise FormatError(f"{shard}: {error}") from error

    def add(
        self, frames: Iterable[LabelledFrame], allow_mixed: Collection[str] = (), *, check_stress: bool = True
    ) -> Added:
        """Append frames that are not there yet; all of them or, where one is refused, none.

        Parameters
        ----------
        frames
            Labelled frames.
        allow_mixed
            The digests of both fingerprints, where labels made in two ways shall stand side by side nonetheless.
        check_stress
            Whether to ask if the stresses are what they are said to be. Hot frames may look otherwise: leave it out for
            labels of a reference of this package, whose sign and unit are tested.

        Raises
        ------
        InputError
            When a fingerprint contradicts those of the dataset.

        Warns
        -----
        DatasetWarning
            When the stresses of the new frames have probably the wrong sign or unit.
        """
        frames = list(frames)
        with locked(self.folder):
            self.refresh()
            self._sweep()
            new: dict[str, LabelledFrame] = {}
            for frame in frames:
                if frame.id not in self._places:
                    new.setdefault(frame.id, frame)
            prints = {frame.fingerprint.digest: frame.fingerprint for frame in new.values()}
            self._require_alike(prints.values(), frozenset(allow_mixed))
            fresh = list(new.values())
            for start in range(0, len(fresh), _FRAMES_PER_SHARD):
                self._write_shard(fresh[start : start + _FRAMES_PER_SHARD])
            self.refresh()
        for doubt in doubts_about_stress(new.values()) if check_stress else ():
            warnings.warn(DatasetWarning(f"{self.folder}: {doubt}"), stacklevel=2)
        return Added(n_added=len(new), n_duplicates=len(frames) - len(new))

    def _require_alike(self, prints: Iterable[Fingerprint], allowed: frozenset[str]) -> None:
        known = list(self.fingerprints)
        for found in prints:
            differences = {other.digest: other.difference(found) for other in known}
            if known and all(differences.values()) and not (found.digest in allowed and allowed & set(differences)):
                other = known[0]
                raise InputError(
                    f"found labels made in two ways: {other.digest} ({other.describe()}) and {found.digest} "
                    f"({found.describe()}) differ in {differences[other.digest]}; expected one fingerprint: label "
                    f"alike, or name both digests in allow_mixed"
                )
            if all(differences.values()):
                known.append(found)

    def _write_shard(self, frames: list[LabelledFrame]) -> None:
        folder = self.folder / FRAMES_FOLDER
        number = 1 + max((int(path.name.split("-")[0]) for path in folder.glob("[0-9]*-*")), default=0)
        shard = folder / f"{number:06d}-{frames[0].id[:8]}.extxyz"
        with written_whole(shard) as stream:
            stream.writelines(frame_text(frame) for frame in frames)
        rows = [
            {"id": f.id, "group": f.group, "place": f.place, "formula": f.formula, "fingerprint": f.fingerprint.digest}
            for f in frames
        ]
        prints = {f.fingerprint.digest: f.fingerprint.model_dump(mode="json", exclude_none=True) for f in frames}
        index = {"sha256": sha256_of_file(shard), "fingerprints": prints, "frames": rows}
        write_json_whole(shard.with_suffix(".json"), index)

    def _sweep(self) -> None:
        """Remove what killed processes left; only the holder of the lock may."""
        for folder in (self.folder, self.folder / FRAMES_FOLDER):
            for part in folder.glob(f"{LEFT_OVER}*"):
                part.unlink(missing_ok=True)
        for shard in (self.folder / FRAMES_FOLDER).glob("[0-9]*.extxyz"):
            if not shard.with_suffix(".json").exists():
                shard.unlink()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FormatError(f"{path}: found nothing, expected an index of a dataset") from error
    except ValueError as error:
        raise FormatError(f"{path}: found no JSON, expected an index of a dataset") from error
    if not isinstance(data, dict):
        raise FormatError(f"{path}: found a {type(data).__name__}, expected a JSON object")
    return data
