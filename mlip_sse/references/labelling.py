"""Labels as tasks of the engine: what decides one, how it is made in a worker process, how it is kept as plain data."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlip_sse.dataset import Fingerprint
from mlip_sse.engine.task_folder import TaskFolder, one_line
from mlip_sse.engine.work import Run, Work
from mlip_sse.errors import RunError
from mlip_sse.references.backend import Computed, backend_of
from mlip_sse.references.specs import REFERENCES, ReferenceSpec

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["label_in", "labelling_work", "start", "task_input"]


def labelling_work(spec: ReferenceSpec) -> Work:
    """Return how labels of a reference are made; its inputs are those of `task_input`."""
    return Work(f"{__name__}:start", spec.model_dump(mode="json"), spec.time_limit_s)


def task_input(reference: Mapping[str, Any], fingerprint: Fingerprint, atoms: "Atoms") -> dict[str, Any]:
    """Return all that decides a label, as plain data; positions and cell rounded to 1e-8 Å."""
    return {
        "reference": dict(reference),
        "fingerprint": fingerprint.model_dump(mode="json", exclude_none=True),
        "symbols": atoms.get_chemical_symbols(),
        "cell": (np.rint(atoms.cell.array * 1e8) / 1e8 + 0.0).tolist(),
        "positions": (np.rint(atoms.positions * 1e8) / 1e8 + 0.0).tolist(),
        "pbc": atoms.pbc.tolist(),
    }


def start(settings: Mapping[str, Any]) -> Run:
    """Import what is heavy and return the function that makes one label; runs in the worker process."""
    spec = REFERENCES[settings["kind"]].parse(settings)
    label = backend_of(settings["kind"]).start(spec)

    def run(inputs: dict[str, Any], folder: Path) -> Mapping[str, Any]:
        from ase import Atoms

        atoms = Atoms(inputs["symbols"], positions=inputs["positions"], cell=inputs["cell"], pbc=inputs["pbc"])
        return _plain(label(atoms, folder))

    return run


def label_in(task: TaskFolder) -> Computed:
    """Return the label that a task's folder holds.

    Raises
    ------
    RunError
        When it is missing or damaged.
    """
    data = task.result()
    try:
        stress = data["stress"]
        return Computed(
            energy=float(data["energy"]),
            forces=np.array(data["forces"], dtype=float),
            stress=None if stress is None else np.array(stress, dtype=float),
            fingerprint=Fingerprint.parse(data["fingerprint"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{task.path}: found no label ({one_line(error)}), remove the folder to label again") from error


def _plain(computed: Computed) -> dict[str, Any]:
    return {
        "stress": None if computed.stress is None else np.asarray(computed.stress).tolist(),
        "energy": float(computed.energy),
        "forces": np.asarray(computed.forces).tolist(),
        "fingerprint": computed.fingerprint.model_dump(mode="json", exclude_none=True),
    }
