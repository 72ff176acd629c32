"""Segments of LAMMPS in folders that appear when they are complete, and one trajectory out of them."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlip_sse.errors import InputError, RunError
from mlip_sse.md_protocols.deck import DATA_FILE, DECK_FILE
from mlip_sse.md_protocols.log import FINISHED_MARK, failure_reason
from mlip_sse.md_protocols.segment_decks import PREVIOUS_FILE
from mlip_sse.provenance import sha256_of_file

__all__ = ["LOG_FILE", "SegmentRunner", "join_dumps", "read_text"]

LOG_FILE = "log.lammps"
_SCREEN_FILE = "screen.txt"
_ROOM_BYTES = 1 << 16
_ENDS = {
    "lost_atoms": re.compile(r"[Ll]ost atoms|atoms? missing|Out of range atoms|too far between processors"),
    "exploded": re.compile(r"halt condition|Non-numeric"),
}


class SegmentRunner:
    """LAMMPS with the files of one potential and one structure.

    Parameters
    ----------
    executable
        The program.
    places
        Where the potentials' files lie, by their sha256.
    files
        The sha256 of each file that the deck names.
    data
        Text of the structure's data file.

    Raises
    ------
    InputError
        When a file is not there or not the one that was meant.
    """

    def __init__(self, executable: str, places: Mapping[str, str], files: Mapping[str, str], data: str) -> None:
        self.executable, self.data = executable, data
        self.files = {name: _file(places, digest) for name, digest in sorted(files.items())}

    def run(self, folder: Path, deck: str, previous: Path | None = None) -> tuple[str, str] | None:
        """Run a deck in a folder that appears when it is complete; return what ended it early, if anything did.

        Raises
        ------
        RunError
            When LAMMPS failed for another reason than its atoms.
        OSError
            When the disk is full, of which LAMMPS says nothing.
        """
        running = folder.with_name(f"{folder.name}.running")
        if running.exists():  # left by an attempt that was killed
            shutil.rmtree(running)
        running.mkdir()
        (running / DECK_FILE).write_text(deck, encoding="utf-8")
        (running / DATA_FILE).write_text(self.data, encoding="utf-8")
        for name, file in self.files.items():
            shutil.copy(file, running / name)
        if previous is not None:
            shutil.copy(previous, running / PREVIOUS_FILE)
        command = [self.executable, "-in", DECK_FILE, "-log", LOG_FILE, "-screen", "none", "-nocite"]
        with open(running / _SCREEN_FILE, "wb") as screen:
            code = subprocess.run(
                command, cwd=running, stdin=subprocess.DEVNULL, stdout=screen, stderr=subprocess.STDOUT, check=False
            ).returncode
        log = read_text(running / LOG_FILE)
        if code == 0 and FINISHED_MARK in log:
            (running / PREVIOUS_FILE).unlink(missing_ok=True)
            os.replace(running, folder)
            return None
        _require_room(running)
        reason = failure_reason(log, read_text(running / _SCREEN_FILE))
        for kind, pattern in _ENDS.items():
            if reason.startswith("ERROR") and pattern.search(reason):
                return kind, reason
        raise RunError(f"LAMMPS failed, exit code {code}: {reason}; see {running / LOG_FILE}")


def _require_room(folder: Path) -> None:
    """Raise what a full disk says; LAMMPS leaves it to guess."""
    part = folder / ".room"
    try:
        with open(part, "wb") as stream:
            stream.write(bytes(_ROOM_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
    finally:
        part.unlink(missing_ok=True)


def join_dumps(dumps: Sequence[Path], target: Path) -> int:
    """Write the frames of all dumps into one file, and return their number.

    Each dump begins with the last frame of the one before, which is written once.
    """
    part = target.with_name(f"{target.name}.part")
    with open(part, "wb") as stream:
        for index, dump in enumerate(dumps):
            with open(dump, "rb") as source:
                for line in _after_first_frame(source) if index else ():
                    stream.write(line)
                shutil.copyfileobj(source, stream)
    os.replace(part, target)
    with open(target, "rb") as stream:
        return sum(line == b"ITEM: TIMESTEP\n" for line in stream)


def read_text(path: Path) -> str:
    """Return what a file holds; nothing where it is not there."""
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _file(places: Mapping[str, str], digest: str) -> Path:
    path = Path(places.get(digest, ""))
    if digest not in places or not path.is_file() or sha256_of_file(path) != digest:
        raise InputError(f"{path} is not the file this task was made for: make the tasks anew")
    return path


def _after_first_frame(source: Any) -> Iterator[bytes]:
    """Read up to the second frame, and return its first line."""
    n_frames = 0
    while line := source.readline():
        n_frames += line == b"ITEM: TIME\n"
        if n_frames == 2:
            yield line
            return
