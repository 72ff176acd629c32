"""The two files of `pair_style pod`: what the descriptors are, and the coefficients.

Coefficients are written with the 17 digits that give a double back; LAMMPS reads them with `strtod`.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlip_sse.errors import FormatError
from mlip_sse.potentials.pod.specs import PodSpec

__all__ = ["coefficients_text", "parameters_text", "read_coefficients", "read_parameters"]

_HEAD = "model_coefficients:"
_BODIES = ("three", "four", "five", "six", "seven")


def parameters_text(spec: PodSpec, elements: Sequence[str]) -> str:
    """Return the parameter file for elements in the order of the columns."""
    lines = [
        f"species {' '.join(elements)}",
        "pbc 1 1 1",
        f"rin {spec.inner_cutoff!r}",
        f"rcut {spec.cutoff!r}",
        f"bessel_polynomial_degree {spec.bessel_degree}",
        f"inverse_polynomial_degree {spec.inverse_degree}",
        "onebody 1",
        f"twobody_number_radial_basis_functions {spec.two_body}",
    ]
    for name in _BODIES:
        body = getattr(spec, f"{name}_body")
        lines.append(f"{name}body_number_radial_basis_functions {body.radial}")
        lines.append(f"{name}body_angular_degree {body.angular}")
    return "\n".join(lines) + "\n"


def read_parameters(path: str | Path) -> dict[str, tuple[str, ...]]:
    """Read a parameter file into its words by keyword.

    Raises
    ------
    FormatError
        When a line is not a keyword with its values, or the species are missing.
    """
    words: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(_lines(path), start=1):
        parts = line.split("#")[0].split()
        if not parts:
            continue
        if len(parts) < 2 or parts[0] in words:
            raise FormatError(
                f"{path}: found {line.strip()[:40]!r} in line {number}, expected a keyword once, and its value"
            )
        words[parts[0]] = tuple(parts[1:])
    if "species" not in words or "rcut" not in words:
        raise FormatError(f"{path}: found no species or rcut, expected the parameter file of pair_style pod")
    return words


def coefficients_text(coefficients: ArrayLike) -> str:
    """Return the coefficient file."""
    values = np.asarray(coefficients, dtype=np.float64).tolist()
    return f"{_HEAD} {len(values)} 0 0\n" + "".join(f"{value:.17g}\n" for value in values)


def read_coefficients(path: str | Path, n_columns: int) -> NDArray[np.float64]:
    """Read a coefficient file.

    Parameters
    ----------
    path
        The file.
    n_columns
        How many there must be.

    Returns
    -------
    coefficients : (n_columns,) eV

    Raises
    ------
    FormatError
        When the head, the count or a number is wrong.
    """
    lines = _lines(path)
    head = lines[0].split() if lines else []
    if len(head) != 4 or head[0] != _HEAD:
        raise FormatError(f"{path}: found {' '.join(head)[:40]!r} in line 1, expected '{_HEAD} N 0 0'")
    if head[1:] != [str(n_columns), "0", "0"] or len(lines) != n_columns + 1:
        raise FormatError(
            f"{path}: found {head[1]} coefficients announced and {len(lines) - 1} lines, expected {n_columns}: "
            "the file does not belong to these parameters"
        )
    values = np.empty(n_columns)
    for number, line in enumerate(lines[1:], start=2):
        try:
            values[number - 2] = float(line)
        except ValueError as error:
            raise FormatError(f"{path}: found {line[:40]!r} in line {number}, expected a number") from error
        if not math.isfinite(values[number - 2]):
            raise FormatError(f"{path}: found {line[:40]!r} in line {number}, expected a finite number")
    return values


def _lines(path: str | Path) -> list[str]:
    try:
        return Path(path).read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(
            f"{path}: found no text file ({type(error).__name__}), expected one of pair_style pod"
        ) from error
