"""The task of an interface in time, done by the engine's md lane: one run in segments.

A segment leaves its folder and is never run again; a run that was killed gives what an undisturbed one gives, byte by
byte.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mlip_sse.errors import InputError
from mlip_sse.md_protocols.deck import TRAJECTORY_FILE
from mlip_sse.md_protocols.interface_decks import (
    STATE_COLUMNS,
    STATE_FILE,
)
from mlip_sse.md_protocols.interface_state import run_figures
from mlip_sse.md_protocols.log import lammps_version
from mlip_sse.md_protocols.segment_decks import END_FILE
from mlip_sse.md_protocols.segment_runs import LOG_FILE, SegmentRunner, join_dumps, read_text
from mlip_sse.potentials.whole_folder import folder_digest

__all__ = ["PREPARATION_FILE", "frame_grades", "start"]

PREPARATION_FILE = "preparation.lammpstrj"


def start(settings: Mapping[str, Any]) -> Callable[[dict[str, Any], Path], dict[str, Any]]:
    """Return the function that does one task.

    Parameters
    ----------
    settings
        ``executable`` of LAMMPS, ``files``: where the files of the potential lie, by their sha256, and the folder of
        the ``potential``.
    """
    executable, places, model = str(settings["executable"]), dict(settings["files"]), str(settings["potential"])

    def run(inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
        if folder_digest(model) != inputs["potential"]:
            raise InputError(f"{model} is not the potential this task was made for: make the tasks anew")
        return _annealed(SegmentRunner(executable, places, inputs["files"], inputs["data"]), inputs, folder, model)

    return run


def _annealed(work: SegmentRunner, inputs: dict[str, Any], folder: Path, model: str) -> dict[str, Any]:
    """Settle, heat and run the segments that are missing, then join what they wrote."""
    done: list[Path] = []
    ended = None
    for stage in inputs["stages"]:
        place = folder / stage["name"]
        if not place.exists():
            found = work.run(place, stage["deck"], done[-1] / END_FILE if done else None)
            if found is not None:
                ended = {"kind": found[0], "reason": found[1], "stage": stage["name"]}
                break
        done.append(place)
    before = [place for place in done if not place.name.startswith("segment")]
    segments = [place for place in done if place.name.startswith("segment")]
    if before:
        join_dumps([place / TRAJECTORY_FILE for place in before], folder / PREPARATION_FILE)
    result: dict[str, Any] = {
        "ended": ended,
        "n_segments": sum(stage["name"].startswith("segment") for stage in inputs["stages"]),
        "n_segments_done": len(segments),
        "preparation": PREPARATION_FILE if before else None,
        "trajectory": None,
        "n_frames": 0,
        "state": None,
        "grades": None,
    }
    if not segments:
        return result
    result |= {"trajectory": TRAJECTORY_FILE, "state": STATE_FILE}
    result["n_frames"] = join_dumps([place / TRAJECTORY_FILE for place in segments], folder / TRAJECTORY_FILE)
    rows = _join_states(segments, folder / STATE_FILE)
    result |= run_figures(rows, inputs["temperature_k"], inputs["timestep_fs"], inputs["n_atoms"], inputs["n_inner"])
    result["grades"] = frame_grades(folder / TRAJECTORY_FILE, model)
    result["engine"] = f"LAMMPS {lammps_version(read_text(segments[0] / LOG_FILE))}"
    return result


def _join_states(segments: Sequence[Path], target: Path) -> list[np.ndarray[Any, np.dtype[np.float64]]]:
    """Write the states of all segments into one table, and return those of each."""
    tables = [np.loadtxt(place / STATE_FILE, ndmin=2) for place in segments]
    lines = [f"# {' '.join(STATE_COLUMNS)}; energies and heat of each segment from its own zero"]
    lines += [" ".join(f"{value:.10g}" for value in row) for table in tables for row in table]
    part = target.with_name(f"{target.name}.part")
    part.write_text("\n".join(lines) + "\n", encoding="ascii")
    os.replace(part, target)
    return tables


def frame_grades(trajectory: Path, model: str) -> dict[str, Any] | None:
    """Return how many frames the potential extrapolates in; None where it has no grade.

    Parameters
    ----------
    trajectory
        A dump.
    model
        The folder of the potential.
    """
    from ase.io import iread

    from mlip_sse.potentials import load_potential
    from mlip_sse.potentials.pod.calculator import grades
    from mlip_sse.potentials.pod.descriptors import DescriptorEngine
    from mlip_sse.potentials.pod.potential import PodPotential
    from mlip_sse.potentials.uncertainty import GradeAlarm

    potential = load_potential(model)
    if not isinstance(potential, PodPotential):
        return None
    plain = potential.card.uncertainty.get("alarm")
    alarm = GradeAlarm({}, 0.0, 0) if plain is None else GradeAlarm.from_dict(plain)
    excesses = []
    with DescriptorEngine(potential.recipe, potential.elements) as engine:
        for atoms in iread(trajectory, index=":", format="lammps-dump-text"):
            symbols = atoms.get_chemical_symbols()
            excesses.append(alarm.excess(grades(symbols, engine.atomic(atoms), potential.active_sets), symbols))
    beyond = np.array(excesses) > 1
    return {
        "n_frames": len(excesses),
        "n_above_alarm": int(beyond.sum()),
        "first_above_alarm": int(beyond.argmax()) if beyond.any() else None,
        "largest_excess": float(np.max(excesses)),
        "excesses": [float(value) for value in excesses],
    }
