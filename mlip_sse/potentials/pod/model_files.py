"""The files of a fitted POD potential beside its recipe and card."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import FormatError, InputError

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


def uncertainty_bytes(committee: NDArray[np.float64], active_sets: "Mapping[str, ActiveSet]") -> bytes:
    """Return the content of the file that holds committee (n_members, n_columns) and active sets."""
    head = json.dumps({"format": _FORMAT, "elements": sorted(active_sets)}).encode()
    arrays: dict[str, Any] = {"head": np.frombuffer(head, dtype=np.uint8), "committee": committee}
    for element, found in active_sets.items():
        arrays[f"rows_{element}"] = found.rows
        arrays[f"projection_{element}"] = found.projection
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def read_uncertainty(path: Path, n_columns: int) -> "tuple[NDArray[np.float64], dict[str, ActiveSet]]":
    """Return committee and active sets; nothing in the file is executed.

    Raises
    ------
    FormatError
        When it is another file, damaged, of another format version, or belongs to other coefficients.
    """
    from mlip_sse.potentials.uncertainty.active_set import ActiveSet

    try:
        with np.load(path, allow_pickle=False) as content:
            head = json.loads(content["head"].tobytes())
            version = head["format"]
            if version != _FORMAT:
                raise FormatError(f"{path}: found format {version}, expected {_FORMAT}: fit the recipe again")
            committee = np.array(content["committee"], dtype=np.float64)
            sets = {
                element: ActiveSet(content[f"rows_{element}"], content[f"projection_{element}"])
                for element in head["elements"]
            }
    except FormatError:
        raise
    except (OSError, ValueError, KeyError, TypeError, EOFError, InputError) as error:
        raise FormatError(
            f"{path}: found no committee and active sets ({error}), expected those of a POD fit"
        ) from error
    if committee.ndim != 2 or committee.shape[1] != n_columns:
        raise FormatError(f"{path}: found a committee of {committee.shape}, expected {n_columns} coefficients each")
    return committee, sets
