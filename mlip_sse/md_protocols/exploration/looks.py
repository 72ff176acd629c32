"""What the looks of a segment saw, as arrays in one file of its task's folder."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import FormatError
from mlip_sse.potentials.pod.array_file import array_bytes, read_arrays
from mlip_sse.provenance import sha256_of_file

__all__ = ["Looks", "load_looks", "save_looks"]

_FORMAT = 1
_FILE = "looks.npz"
_NAMES = ("positions", "cells", "grades", "forces_std", "features")


@dataclass(frozen=True, eq=False)
class Looks:
    """All looks before the segment ended.

    Parameters
    ----------
    positions
        (n_looks, n_atoms, 3) Å, folded into the cell when LAMMPS last made its list of neighbours.
    cells
        (n_looks, 3, 3) Å.
    grades
        (n_looks, n_atoms); zero where the potential has no grade.
    forces_std
        (n_looks, n_atoms) eV/Å: length of the committee's spread of each force; NaN where it was not evaluated.
    features
        (n_looks, n_features) float32: near each other for frames that are alike.
    """

    positions: NDArray[np.float64]
    cells: NDArray[np.float64]
    grades: NDArray[np.float64]
    forces_std: NDArray[np.float64]
    features: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.positions)


def save_looks(looks: Looks, folder: Path) -> dict[str, str]:
    """Write the arrays whole; return the file's name and sha256, as the result of the task holds them."""
    content = array_bytes({"format": _FORMAT}, asdict(looks))
    part = folder / f"{_FILE}.part"
    part.write_bytes(content)
    os.replace(part, folder / _FILE)
    return {"file": _FILE, "sha256": sha256(content).hexdigest()}


def load_looks(task_folder: str | Path, result: Mapping[str, Any]) -> Looks:
    """Read the looks of a segment that is done.

    Parameters
    ----------
    task_folder
        Of its task.
    result
        The result of its task.

    Raises
    ------
    FormatError
        When the file is missing, or is not the one that the result names.
    """
    named = result["arrays"]
    path = Path(task_folder) / named["file"]
    if not path.is_file() or sha256_of_file(path) != named["sha256"]:
        raise FormatError(f"{path}: found no file with sha256 {named['sha256'][:12]}…, expected one: delete the task")
    _, arrays = read_arrays(path, _FORMAT, _NAMES, "looks")
    return Looks(**{name: arrays[name] for name in _NAMES})
