"""The task of one glass, done by the engine's md lane: melt, quench and anneal in segments that no kill repeats."""

import io
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mlip_sse.md_protocols.deck import TRAJECTORY_FILE, number_text, seeds_of
from mlip_sse.md_protocols.log import lammps_version, read_thermo
from mlip_sse.md_protocols.melt_specs import MeltQuenchSpec, StageSegment
from mlip_sse.md_protocols.segment_decks import (
    BAROSTAT_PS,
    BARS_PER_GPA,
    DAMP_PS,
    END_FILE,
    PREVIOUS_FILE,
    dump_lines,
    end_lines,
    guard_lines,
    head_lines,
    potential_lines,
    velocity_line,
)
from mlip_sse.md_protocols.segment_runs import LOG_FILE, SegmentRunner, join_dumps, read_text
from mlip_sse.potentials import LammpsInput
from mlip_sse.trajectory.model import Trajectory

__all__ = ["GLASS_FILE", "N_BLOCKS", "root_mean_square_displacements", "segment_deck", "start"]

GLASS_FILE = "glass.extxyz"
N_BLOCKS = 8
# FIRE, whose steps are short: a line search leaps through the wall between packed atoms into holes of a potential.
_RELAX = ("min_style fire", "minimize 0.0 0.1 300 3000", "reset_timestep 0")


def segment_deck(spec: MeltQuenchSpec, lines: LammpsInput, seed: int, segment: StageSegment, *, is_first: bool) -> str:
    """Return the deck of one segment at constant pressure."""
    potential = potential_lines(lines, spec.timestep_fs, segment.n_steps)
    if is_first:
        velocities = velocity_line(segment.first_k, seeds_of(seed, segment.first_k)[0])
        relaxed = [] if spec.structure.glass is None else list(_RELAX)
        begin = [*head_lines(lines), *potential, *relaxed, velocities]
    else:
        begin = [f"read_restart {PREVIOUS_FILE}", *potential]
    span = f"{number_text(segment.first_k)} {number_text(segment.last_k)} {number_text(DAMP_PS)}"
    push = number_text(spec.pressure_gpa * BARS_PER_GPA)
    return "\n".join(
        [
            *begin,
            *guard_lines(max(segment.first_k, segment.last_k)),
            # The same name in each segment: its thermostat and barostat go on from the restart file.
            f"fix move all npt temp {span} iso {push} {push} {BAROSTAT_PS}",
            *dump_lines(lines, spec.dump_steps),
            *end_lines(segment.n_steps),
        ]
    )


def start(settings: Mapping[str, Any]) -> Callable[[dict[str, Any], Path], dict[str, Any]]:
    """Return the function that makes one glass.

    Parameters
    ----------
    settings
        ``executable`` of LAMMPS, and ``files``: where the files of the potential lie, by their sha256.
    """
    executable, places = str(settings["executable"]), dict(settings["files"])

    def run(inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
        return _glass(SegmentRunner(executable, places, inputs["files"], inputs["data"]), inputs, folder)

    return run


def _glass(runner: SegmentRunner, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Do what is missing, stage by stage; what did not melt is not quenched."""
    done: list[Path] = []
    result: dict[str, Any] = {"ended": None, "melt": None, "glass": None, "n_segments": len(inputs["segments"])}
    for stage in dict.fromkeys(each["stage"] for each in inputs["segments"]):
        places = []
        for index, each in enumerate(inputs["segments"]):
            if each["stage"] != stage:
                continue
            place = folder / f"segment_{index:04d}"
            ended = None if place.exists() else runner.run(place, each["deck"], done[-1] / END_FILE if done else None)
            if ended is not None:
                found = {"kind": ended[0], "reason": ended[1], "stage": stage, "segment": index}
                return {**result, "ended": found, "n_segments_done": len(done)}
            done.append(place)
            places.append(place)
        trajectory = folder / f"{stage}.lammpstrj"
        join_dumps([place / TRAJECTORY_FILE for place in places], trajectory)
        if stage == "melt":
            result["melt"] = _melt(places, trajectory)
            limit = inputs["melted_a"]
            if limit is not None and (reason := _solid(result["melt"], limit)) is not None:
                found = {"kind": "not_melted", "reason": reason, "stage": stage, "segment": len(done) - 1}
                return {**result, "ended": found, "n_segments_done": len(done)}
    result["glass"] = {**_means(places), "structure": _write_glass(trajectory, folder), "trajectory": trajectory.name}
    result["engine"] = f"LAMMPS {lammps_version(read_text(done[0] / LOG_FILE))}"
    return {**result, "n_segments_done": len(done)}


def _melt(places: Sequence[Path], trajectory: Path) -> dict[str, Any]:
    """Return how far each element went in the second half of the melt, and the state it was in."""
    return {"displacements_a": root_mean_square_displacements(Trajectory.read(trajectory)), **_means(places)}


def root_mean_square_displacements(trajectory: Trajectory) -> dict[str, float]:
    """Return the root of the mean squared displacement of each element over the second half, in Å.

    The drift of the whole is taken off.
    """
    positions = np.asarray(trajectory.positions[[len(trajectory.positions) // 2, -1]])
    moved = positions[1] - positions[0]
    moved = moved - np.average(moved, axis=0, weights=trajectory.masses)
    species = np.asarray(trajectory.species)
    squares = (moved**2).sum(axis=1)
    return {str(each): float(np.sqrt(squares[species == each].mean())) for each in sorted(set(species.tolist()))}


def _solid(melt: Mapping[str, Any], melted_a: float) -> str | None:
    """Return which element did not go far enough for a liquid, or None."""
    slow = {element: far for element, far in melt["displacements_a"].items() if far < melted_a}
    if not slow:
        return None
    found = ", ".join(f"{element} {far:.2f} Å" for element, far in slow.items())
    return (
        f"found root-mean-square displacements of {found} in the second half of the melt, expected at least "
        f"{melted_a:.2f} Å: it did not melt; raise melt_temperature_k or melt_ps"
    )


def _means(places: Sequence[Path]) -> dict[str, Any]:
    """Return means over the second half of a stage, the density with its standard error from blocks."""
    thermos = [read_thermo(read_text(place / LOG_FILE)) for place in places]
    columns = {
        name: np.concatenate([getattr(thermo, attribute) for thermo in thermos])
        for name, attribute in (
            ("temperature_k", "temperatures_k"),
            ("pressure_gpa", "pressures_gpa"),
            ("density_g_cm3", "densities_g_cm3"),
            ("total_energy_ev", "total_energies"),
        )
    }
    half = {name: values[len(values) // 2 :] for name, values in columns.items()}
    blocks = np.array([block.mean() for block in np.array_split(half["density_g_cm3"], N_BLOCKS)])
    error = float(blocks.std(ddof=1) / np.sqrt(N_BLOCKS))
    return {**{name: float(values.mean()) for name, values in half.items()}, "density_error_g_cm3": error}


def _write_glass(trajectory: Path, folder: Path) -> str:
    """Write the last frame as a structure, and return the file's name."""
    from ase.io import read, write

    atoms = read(trajectory, index=-1, format="lammps-dump-text")
    atoms.calc, atoms.info = None, {}
    for name in [name for name in atoms.arrays if name not in ("numbers", "positions")]:
        del atoms.arrays[name]
    text = io.StringIO()
    write(text, atoms, format="extxyz")
    part = folder / f"{GLASS_FILE}.part"
    part.write_text(text.getvalue(), encoding="utf-8")
    os.replace(part, folder / GLASS_FILE)
    return GLASS_FILE
