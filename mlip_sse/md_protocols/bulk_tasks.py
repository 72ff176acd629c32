"""The tasks of bulk diffusion, done by the engine's md lane: one mean cell, or one production run in segments."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mlip_sse.errors import InputError, RunError
from mlip_sse.md_protocols.bulk_decks import CELL_FILE, END_FILE, PREVIOUS_FILE
from mlip_sse.md_protocols.deck import DATA_FILE, DECK_FILE, TRAJECTORY_FILE
from mlip_sse.md_protocols.log import FINISHED_MARK, failure_reason, lammps_version, read_thermo
from mlip_sse.provenance import sha256_of_file

__all__ = ["start"]

_LOG_FILE, _SCREEN_FILE = "log.lammps", "screen.txt"
_N_BLOCKS = 8
_ENDS = {
    "lost_atoms": re.compile(r"[Ll]ost atoms|atoms? missing|Out of range atoms|too far between processors"),
    "exploded": re.compile(r"halt condition|Non-numeric"),
}


def start(settings: Mapping[str, Any]) -> Callable[[dict[str, Any], Path], dict[str, Any]]:
    """Return the function that does one task.

    Parameters
    ----------
    settings
        ``executable`` of LAMMPS, and ``files``: where the files of the potentials lie, by their sha256.
    """
    executable, places = str(settings["executable"]), dict(settings["files"])

    def run(inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
        files = {name: _file(places, digest) for name, digest in sorted(inputs["files"].items())}
        work = _Lammps(executable, files, inputs["data"])
        return _cell(work, inputs, folder) if inputs["kind"] == "cell" else _production(work, inputs, folder)

    return run


def _file(places: Mapping[str, str], digest: str) -> Path:
    path = Path(places.get(digest, ""))
    if digest not in places or not path.is_file() or sha256_of_file(path) != digest:
        raise InputError(f"{path} is not the file this task was made for: make the tasks anew")
    return path


class _Lammps:
    """LAMMPS with the files of one potential and one structure."""

    def __init__(self, executable: str, files: Mapping[str, Path], data: str) -> None:
        self.executable, self.files, self.data = executable, files, data

    def run(self, folder: Path, deck: str, previous: Path | None = None) -> tuple[str, str] | None:
        """Run a deck in a folder that appears when it is complete; return what ended it early, if anything did.

        Raises
        ------
        RunError
            When LAMMPS failed for another reason than its atoms.
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
        command = [self.executable, "-in", DECK_FILE, "-log", _LOG_FILE, "-screen", "none", "-nocite"]
        with open(running / _SCREEN_FILE, "wb") as screen:
            code = subprocess.run(
                command, cwd=running, stdin=subprocess.DEVNULL, stdout=screen, stderr=subprocess.STDOUT, check=False
            ).returncode
        log = _text(running / _LOG_FILE)
        if code == 0 and FINISHED_MARK in log:
            (running / PREVIOUS_FILE).unlink(missing_ok=True)
            os.replace(running, folder)
            return None
        reason = failure_reason(log, _text(running / _SCREEN_FILE))
        for kind, pattern in _ENDS.items():
            if reason.startswith("ERROR") and pattern.search(reason):
                return kind, reason
        raise RunError(f"LAMMPS failed, exit code {code}: {reason}; see {running / _LOG_FILE}")


def _cell(work: _Lammps, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the mean of the second half, with the standard error from blocks."""
    place = folder / "cell"
    if not place.exists() and (ended := work.run(place, inputs["deck"])) is not None:
        return {"ended": {"kind": ended[0], "reason": ended[1]}}
    sides = np.loadtxt(place / CELL_FILE)[1:, 1:]
    half = sides[len(sides) // 2 :]
    blocks = np.array([block.mean(axis=0) for block in np.array_split(half, _N_BLOCKS)])
    volumes = blocks[:, :3].prod(axis=1)
    return {
        "ended": None,
        "cell_sides_a": half.mean(axis=0).tolist(),
        "cell_sides_error_a": (blocks.std(axis=0, ddof=1) / np.sqrt(_N_BLOCKS)).tolist(),
        "volume_a3": float(volumes.mean()),
        "volume_error_a3": float(volumes.std(ddof=1) / np.sqrt(_N_BLOCKS)),
    }


def _production(work: _Lammps, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Do the segments that are missing, then join their dumps."""
    done: list[Path] = []
    ended = None
    for index, deck in enumerate(inputs["decks"]):
        place = folder / f"segment_{index:04d}"
        if not place.exists():
            ended = work.run(place, deck, done[-1] / END_FILE if done else None)
        if ended is not None:
            break
        done.append(place)
    thermos = [read_thermo(_text(place / _LOG_FILE)) for place in done]
    n_frames = _join([place / TRAJECTORY_FILE for place in done], folder / TRAJECTORY_FILE) if done else 0
    mean = {
        name: float(np.mean(np.concatenate([getattr(thermo, name) for thermo in thermos]))) if thermos else None
        for name in ("temperatures_k", "pressures_gpa", "densities_g_cm3")
    }
    return {
        "n_segments": len(inputs["decks"]),
        "n_segments_done": len(done),
        "n_frames": n_frames,
        "mean_temperature_k": mean["temperatures_k"],
        "mean_pressure_gpa": mean["pressures_gpa"],
        "density_g_cm3": mean["densities_g_cm3"],
        "engine": f"LAMMPS {lammps_version(_text(done[0] / _LOG_FILE))}" if done else None,
        "ended": None if ended is None else {"kind": ended[0], "reason": ended[1], "segment": len(done)},
    }


def _join(dumps: list[Path], target: Path) -> int:
    """Write the frames of all dumps into one file; each begins with the last frame of the one before."""
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


def _after_first_frame(source: Any) -> Iterator[bytes]:
    """Read up to the second frame, and return its first line."""
    n_frames = 0
    while line := source.readline():
        n_frames += line == b"ITEM: TIME\n"
        if n_frames == 2:
            yield line
            return


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
