"""What the unit attributes of H5MD and NetCDF files mean, in Å, fs and degrees."""

import math
import re

from mlip_sse.errors import FormatError

__all__ = ["angle_in_degrees", "length_in_angstrom", "time_in_fs", "velocity_in_angstrom_per_fs"]

_LENGTHS = {
    "å": 1.0, "a": 1.0, "ang": 1.0, "angstrom": 1.0, "angstroms": 1.0, "ångström": 1.0, "ångstrom": 1.0,
    "nm": 10.0, "nanometer": 10.0, "nanometers": 10.0, "nanometre": 10.0, "pm": 0.01, "picometer": 0.01, "m": 1e10,
    "bohr": 0.529177210903, "a0": 0.529177210903,
}  # fmt: skip
_TIMES = {
    "fs": 1.0, "femtosecond": 1.0, "femtoseconds": 1.0, "ps": 1e3, "picosecond": 1e3, "picoseconds": 1e3,
    "ns": 1e6, "nanosecond": 1e6, "nanoseconds": 1e6, "s": 1e15, "second": 1e15, "seconds": 1e15,
}  # fmt: skip
_ANGLES = {"degree": 1.0, "degrees": 1.0, "deg": 1.0, "radian": 180.0 / math.pi, "radians": 180.0 / math.pi}


def length_in_angstrom(unit: str, where: str) -> float:
    """Return how many Å one unit is."""
    return _look_up(_LENGTHS, unit, where, "a length such as angstrom or nm")


def time_in_fs(unit: str, where: str) -> float:
    """Return how many fs one unit is."""
    return _look_up(_TIMES, unit, where, "a time such as fs or ps")


def angle_in_degrees(unit: str, where: str) -> float:
    """Return how many degrees one unit is."""
    return _look_up(_ANGLES, unit, where, "degree or radian")


def velocity_in_angstrom_per_fs(unit: str, where: str) -> float:
    """Return how many Å/fs one unit is; the unit reads ``nm ps-1``, ``nm/ps`` or ``nm ps^-1``."""
    match = re.fullmatch(r"\s*([^\s/]+)\s*(?:/\s*([^\s/]+)|\s([^\s/^+-]+)\s*\^?-1)\s*", unit)
    if not match:
        raise FormatError(f"{where} has the unit {unit!r}, expected a velocity such as nm ps-1 or angstrom/ps")
    return length_in_angstrom(match[1], where) / time_in_fs(match[2] or match[3], where)


def _look_up(table: dict[str, float], unit: str, where: str, expected: str) -> float:
    factor = table.get(unit.strip().lower())
    if factor is None:
        raise FormatError(f"{where} has the unit {unit!r}, expected {expected}")
    return factor
