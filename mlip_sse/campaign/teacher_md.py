"""Dynamics with the reference itself, in pieces on disk: what was computed is not computed again after a kill.

The thermostat is the student's, stochastic velocity rescaling (Bussi 2007), which leaves diffusion as it is.

References
----------
Bussi, Donadio and Parrinello, J. Chem. Phys. 126, 014101 (2007), doi:10.1063/1.2408420.
"""

import hashlib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.engine import Work
from mlip_sse.errors import InputError
from mlip_sse.potentials.pod.array_file import array_bytes, read_arrays
from mlip_sse.potentials.training_data.starts import plain_structure, structure_of
from mlip_sse.provenance import sha256_of_file

if TYPE_CHECKING:
    from ase import Atoms

    from mlip_sse.references.specs import ReferenceSpec
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["md_inputs", "md_work", "read_run", "speed_of", "start"]

_FORMAT = 1
_FILE = "positions.npz"
_PIECE_FRAMES = 10
_HOTTEST = 6.0
"""Times the temperature asked for; beyond it the trajectory has broken."""
_THERMOSTAT_FS = 200.0
_TIME_LIMIT_S = 7 * 86400.0


def md_work(reference: "ReferenceSpec") -> Work:
    """Return how dynamics with a reference that is a force field is done."""
    return Work(f"{__name__}:start", reference.model_dump(mode="json"), _TIME_LIMIT_S, "teacher_md")


def md_inputs(
    identity: Mapping[str, Any],
    atoms: "Atoms",
    *,
    temperature_k: float,
    duration_ps: float,
    timestep_fs: float,
    every_fs: float,
    warm_up_ps: float,
    seed: int,
) -> dict[str, Any]:
    """Return what decides one run.

    Parameters
    ----------
    identity
        Of the reference, `Reference.identity()`.
    atoms
        A frame in equilibrium at the temperature, such as one of the student's.
    temperature_k
        Of the thermostat.
    duration_ps
        What is stored, after the warm-up.
    timestep_fs, every_fs
        MD time step, and time between stored frames: a multiple of it.
    warm_up_ps
        Before anything is stored.
    seed
        Of velocities and thermostat.
    """
    every = max(1, round(every_fs / timestep_fs))
    return {
        "reference": dict(identity),
        "start": plain_structure(atoms),
        "temperature_k": temperature_k,
        "n_frames": round(duration_ps * 1000 / (every * timestep_fs)) + 1,
        "timestep_fs": timestep_fs,
        "every": every,
        "warm_up_steps": round(warm_up_ps * 1000 / timestep_fs),
        "seed": seed,
    }


def start(settings: Mapping[str, Any]) -> Callable[[dict[str, Any], Path], dict[str, Any]]:
    """Return the function that does one run with the reference of the settings."""
    from mlip_sse.references import load_reference

    calculator = load_reference(settings).calculator()

    def run(inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
        frames: list[NDArray[np.float64]] = []
        kelvins: list[float] = []
        ended: dict[str, str] | None = None
        state: _State | None = None
        while len(frames) < inputs["n_frames"]:
            place = folder / f"piece_{len(frames):06d}.npz"
            if not place.is_file():
                wanted = min(_PIECE_FRAMES, inputs["n_frames"] - len(frames))
                _write(place, *_piece(inputs, calculator, state, wanted))
            state = _State.read(place)
            frames += list(state.positions)
            kelvins += state.temperatures_k
            if max(state.temperatures_k) > _HOTTEST * inputs["temperature_k"] or not np.isfinite(state.positions).all():
                ended = {"kind": "exploded", "reason": f"found {max(state.temperatures_k):.0f} K"}
                break
        _write(folder / _FILE, {"format": _FORMAT}, {"positions": np.array(frames, dtype=np.float32)})
        return {
            "n_frames": len(frames),
            "spacing_fs": inputs["every"] * inputs["timestep_fs"],
            "mean_temperature_k": float(np.mean(kelvins)),
            "ended": ended,
            "arrays": {"file": _FILE, "sha256": sha256_of_file(folder / _FILE)},
        }

    return run


@dataclass(frozen=True, eq=False)
class _State:
    """A piece: its frames, and all that is needed to go on."""

    positions: NDArray[np.float64]
    momenta: NDArray[np.float64]
    random: dict[str, Any]
    temperatures_k: list[float]

    @classmethod
    def read(cls, path: Path) -> "_State":
        head, arrays = read_arrays(path, _FORMAT, ("positions", "momenta"), "piece of dynamics")
        return cls(arrays["positions"], arrays["momenta"], head["random"], head["temperatures_k"])


def _write(path: Path, head: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(array_bytes(head, arrays))
    os.replace(part, path)


def _piece(
    inputs: Mapping[str, Any], calculator: Any, state: _State | None, n_frames: int
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Run on from a state, or from the start, where the frame after the warm-up is the first one."""
    from ase import units
    from ase.md.bussi import Bussi

    began = time.monotonic()
    rng = np.random.default_rng(inputs["seed"])
    atoms = structure_of(inputs["start"])
    atoms.calc = calculator
    if state is None:
        atoms.set_momenta(_momenta(atoms, inputs["temperature_k"], rng))
    else:
        atoms.positions = state.positions[-1]
        atoms.set_momenta(state.momenta)
        rng.bit_generator.state = state.random
    dynamics = Bussi(
        atoms, inputs["timestep_fs"] * units.fs, inputs["temperature_k"], _THERMOSTAT_FS * units.fs, rng=rng
    )
    positions, kelvins, n_steps = [], [], 0
    for number in range(n_frames):
        steps = inputs["warm_up_steps"] if state is None and number == 0 else inputs["every"]
        dynamics.run(steps)
        n_steps += steps
        positions.append(atoms.positions.copy())
        kelvins.append(float(atoms.get_temperature()))
    head = {
        "format": _FORMAT,
        "random": rng.bit_generator.state,
        "temperatures_k": kelvins,
        "n_steps": n_steps,
        "seconds": time.monotonic() - began,
    }
    return head, {"positions": np.array(positions), "momenta": atoms.get_momenta()}


def _momenta(atoms: "Atoms", temperature_k: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw momenta of the Maxwell-Boltzmann distribution, the cell as a whole at rest."""
    from ase import units

    masses = atoms.get_masses()[:, None]
    momenta = rng.normal(size=(len(atoms), 3)) * np.sqrt(masses * units.kB * temperature_k)
    drift: NDArray[np.float64] = momenta.sum(axis=0) / masses.sum()
    return np.asarray(momenta - masses * drift)


def read_run(folder: Path, inputs: Mapping[str, Any], result: Mapping[str, Any]) -> "Trajectory":
    """Return a finished run as a trajectory.

    Raises
    ------
    InputError
        When its file was changed.
    """
    from mlip_sse.trajectory.model import Trajectory

    path = folder / result["arrays"]["file"]
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != result["arrays"]["sha256"]:
        raise InputError(f"{path}: found another content than its result says, expected it unchanged: remove {folder}")
    _, arrays = read_arrays(path, _FORMAT, ("positions",), "positions of dynamics")
    return Trajectory.from_arrays(
        inputs["start"]["symbols"],
        arrays["positions"],
        np.array(inputs["start"]["cell"]),
        result["spacing_fs"],
        wrapped=False,
        temperature_k=inputs["temperature_k"],
    )


def speed_of(folders: list[Path], n_atoms: int) -> tuple[float | None, int]:
    """Return atoms times steps by second over the pieces of runs, and the number of steps.

    Parameters
    ----------
    folders
        Of their tasks.
    n_atoms
        Of their cell.
    """
    heads = [
        read_arrays(path, _FORMAT, ("positions",), "piece of dynamics")[0]
        for folder in folders
        for path in sorted(folder.glob("piece_*.npz"))
    ]
    n_steps, seconds = sum(int(head["n_steps"]) for head in heads), sum(float(head["seconds"]) for head in heads)
    return (n_atoms * n_steps / seconds if seconds > 0 else None), n_steps
