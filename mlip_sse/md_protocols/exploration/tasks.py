"""The task of the engine's md lane that runs one segment of exploration; a pure function of its inputs."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlip_sse.errors import InputError
from mlip_sse.md_protocols.exploration.dynamics import ENSEMBLES, Drive
from mlip_sse.md_protocols.exploration.looks import save_looks
from mlip_sse.md_protocols.exploration.segment import Look, Segment, looks_of, run_segment
from mlip_sse.potentials import load_potential
from mlip_sse.potentials.whole_folder import folder_digest

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["start"]


def start(settings: Mapping[str, Any]) -> Callable[[dict[str, Any], Path], dict[str, Any]]:
    """Return the function that runs one segment; ``settings`` say where the potential's folder lies."""
    folder_of_potential = Path(settings["potential"])
    digest = folder_digest(folder_of_potential)
    potential = load_potential(folder_of_potential)

    def run(inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
        if inputs["potential"] != digest:
            raise InputError(
                f"{folder_of_potential}: found another potential than this task was made for: make the tasks anew"
            )
        if inputs["kind"] != "segment":
            raise InputError(f"found a task of kind {inputs['kind']!r}, expected segment")
        atoms, drive = _structure(inputs["start"]), _drive(inputs)
        segment = run_segment(potential, atoms, drive, inputs["stop_error_ev_a"], inputs.get("is_reactive", False))
        looks = looks_of(segment, potential, atoms)
        return {
            "wanted_ps": _time_ps(drive, drive.n_steps),
            "reached_ps": _time_ps(drive, segment.reached_step),
            "ended": _ended(segment, drive),
            "looks": {
                "time_ps": [_time_ps(drive, look.state.step) for look in segment.seen],
                "temperature_k": [look.state.temperature_k for look in segment.seen],
                "energy_ev": [look.state.energy_ev for look in segment.seen],
                "grade": [float(look.trust.grades.max()) for look in segment.seen],
                "excess": [look.trust.excess for look in segment.seen],
                "error_bound_ev_a": [look.trust.error_bound_ev_a for look in segment.seen],
            },
            "arrays": save_looks(looks, folder),
        }

    return run


def _structure(plain: Mapping[str, Any]) -> "Atoms":
    from ase import Atoms

    return Atoms(plain["symbols"], positions=plain["positions"], cell=plain["cell"], pbc=True)


def _drive(inputs: Mapping[str, Any]) -> Drive:
    """Return what drives the atoms; the length is a whole number of looks."""
    first, last = (float(kelvin) for kelvin in inputs["temperatures_k"])
    timestep, spacing, length = (float(inputs[key]) for key in ("timestep_fs", "look_every_fs", "duration_ps"))
    if not all(math.isfinite(number) and number > 0 for number in (first, last, timestep, spacing, length)):
        raise InputError(
            f"found temperatures_k {first}, {last}, timestep_fs {timestep}, look_every_fs {spacing}, duration_ps "
            f"{length}, expected numbers above 0"
        )
    if inputs["ensemble"] not in ENSEMBLES:
        raise InputError(f"found ensemble {inputs['ensemble']!r}, expected one of {', '.join(ENSEMBLES)}")
    every = max(1, round(spacing / timestep))
    n_looks = max(1, round(1000 * length / (every * timestep)))
    return Drive(
        temperatures_k=(first, last),
        n_steps=n_looks * every,
        every=every,
        timestep_fs=timestep,
        ensemble=inputs["ensemble"],
        pressure_gpa=float(inputs.get("pressure_gpa", 0.0)),
        seed=int(inputs["seed"]),
    )


def _time_ps(drive: Drive, step: int) -> float:
    return round(step * drive.timestep_fs / 1000, 9)


def _ended(segment: Segment, drive: Drive) -> dict[str, Any] | None:
    """Return why, and what the look saw that ended it where it could still be judged."""
    if segment.end is None:
        return None
    plain: dict[str, Any] = {"kind": segment.end.kind, "reason": segment.end.reason}
    return plain | ({} if segment.end_look is None else _judged(segment.end_look, drive))


def _judged(look: Look, drive: Drive) -> dict[str, Any]:
    numbers = {"grade": float(look.trust.grades.max()), "excess": look.trust.excess}
    finite = {name: number if math.isfinite(number) else None for name, number in numbers.items()}
    return {
        "time_ps": _time_ps(drive, look.state.step),
        **finite,
        "error_bound_ev_a": look.trust.error_bound_ev_a,
    }
