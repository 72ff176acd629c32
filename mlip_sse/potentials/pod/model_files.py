"""The files of a fitted POD potential beside its recipe and card."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import FormatError, InputError
from mlip_sse.potentials.pod.array_file import array_bytes, read_arrays

if TYPE_CHECKING:
    from mlip_sse.potentials.uncertainty.active_set import ActiveSet

__all__ = [
    "COEFFICIENTS_FILE",
    "EQUATIONS_FILE",
    "PARAMETERS_FILE",
    "UNCERTAINTY_FILE",
    "VALIDATION_FILE",
    "read_uncertainty",
    "uncertainty_bytes",
]

PARAMETERS_FILE = "parameters.pod"
COEFFICIENTS_FILE = "coefficients.pod"
UNCERTAINTY_FILE = "uncertainty.npz"
EQUATIONS_FILE = "equations.npz"
VALIDATION_FILE = "validation.npz"

_FORMAT = 1


def uncertainty_bytes(
    committee: NDArray[np.float64], active_sets: "Mapping[str, ActiveSet]", *, small: bool = False
) -> bytes:
    """Return the content of the file that holds committee (n_members, n_columns) and active sets.

    A small one, of a potential without its equations, leaves out the chosen environments, which only the joining of
    active sets reads, and keeps seven digits.
    """
    kind = np.float32 if small else np.float64
    arrays = {"committee": committee.astype(kind)}
    for element, found in active_sets.items():
        arrays[f"rows_{element}"] = (found.rows[:0] if small else found.rows).astype(kind)
        arrays[f"projection_{element}"] = found.projection.astype(kind)
    return array_bytes({"format": _FORMAT, "elements": sorted(active_sets)}, arrays, compressed=small)


def read_uncertainty(path: Path, n_columns: int) -> "tuple[NDArray[np.float64], dict[str, ActiveSet]]":
    """Return committee and active sets; nothing in the file is executed.

    Raises
    ------
    FormatError
        When it is another file, damaged, of another format version, or belongs to other coefficients.
    """
    from mlip_sse.potentials.uncertainty.active_set import ActiveSet

    head, arrays = read_arrays(path, _FORMAT, ("committee",), "committee and active sets")
    committee = np.asarray(arrays["committee"], dtype=np.float64)
    try:
        sets = {
            element: ActiveSet(arrays[f"rows_{element}"], arrays[f"projection_{element}"])
            for element in head["elements"]
        }
    except (KeyError, InputError) as error:
        raise FormatError(f"{path}: found damaged active sets ({error}), expected those of a POD fit") from error
    if committee.ndim != 2 or committee.shape[1] != n_columns:
        raise FormatError(f"{path}: found a committee of {committee.shape}, expected {n_columns} coefficients each")
    return committee, sets
