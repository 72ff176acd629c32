"""The tasks of bulk diffusion, done by the engine's md lane: one mean cell, or one production run in segments."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mlip_sse.md_protocols.bulk_decks import CELL_FILE
from mlip_sse.md_protocols.deck import CURRENT_FILE, TRAJECTORY_FILE
from mlip_sse.md_protocols.log import lammps_version, read_thermo
from mlip_sse.md_protocols.segment_decks import END_FILE
from mlip_sse.md_protocols.segment_runs import LOG_FILE, SegmentRunner, join_dumps, read_text

__all__ = ["start"]

_N_BLOCKS = 8


def start(settings: Mapping[str, Any]) -> Callable[[dict[str, Any], Path], dict[str, Any]]:
    """Return the function that does one task.

    Parameters
    ----------
    settings
        ``executable`` of LAMMPS, and ``files``: where the files of the potentials lie, by their sha256.
    """
    executable, places = str(settings["executable"]), dict(settings["files"])

    def run(inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
        work = SegmentRunner(executable, places, inputs["files"], inputs["data"])
        return _cell(work, inputs, folder) if inputs["kind"] == "cell" else _production(work, inputs, folder)

    return run


def _cell(work: SegmentRunner, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
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


def _production(work: SegmentRunner, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
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
    thermos = [read_thermo(read_text(place / LOG_FILE)) for place in done]
    n_frames = join_dumps([place / TRAJECTORY_FILE for place in done], folder / TRAJECTORY_FILE) if done else 0
    currents = [place / CURRENT_FILE for place in done if (place / CURRENT_FILE).is_file()]
    if currents:
        _join_currents(currents, folder / CURRENT_FILE)
    mean = {
        name: float(np.mean(np.concatenate([getattr(thermo, name) for thermo in thermos]))) if thermos else None
        for name in ("temperatures_k", "pressures_gpa", "densities_g_cm3")
    }
    return {
        "n_segments": len(inputs["decks"]),
        "n_segments_done": len(done),
        "n_frames": n_frames,
        "charge_current": CURRENT_FILE if currents else None,
        "mean_temperature_k": mean["temperatures_k"],
        "mean_pressure_gpa": mean["pressures_gpa"],
        "density_g_cm3": mean["densities_g_cm3"],
        "engine": f"LAMMPS {lammps_version(read_text(done[0] / LOG_FILE))}" if done else None,
        "ended": None if ended is None else {"kind": ended[0], "reason": ended[1], "segment": len(done)},
    }


def _join_currents(tables: list[Path], target: Path) -> None:
    """Write the rows of all tables into one; each begins with the last row of the one before, after two of titles."""
    rows = [table.read_text(encoding="ascii").splitlines() for table in tables]
    lines = [*rows[0], *(line for table in rows[1:] for line in table[3:])]
    part = target.with_name(f"{target.name}.part")
    part.write_text("\n".join(lines) + "\n", encoding="ascii")
    os.replace(part, target)
