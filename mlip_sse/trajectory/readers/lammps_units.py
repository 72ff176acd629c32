"""What LAMMPS dumps mean in Å, fs and Å/fs: unit systems, box bounds, column names, atom types."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import FormatError, InputError
from mlip_sse.trajectory.frames import Coordinates

__all__ = ["Columns", "Units", "box_from_bounds", "choose_columns", "species_of_types", "units_named"]


@dataclass(frozen=True)
class Units:
    """A LAMMPS unit system whose length is the Å.

    Parameters
    ----------
    time_fs
        fs in its unit of time.
    velocity
        Å/fs in its unit of velocity.
    """

    name: str
    time_fs: float
    velocity: float


_UNITS = {"metal": Units("metal", 1000.0, 1e-3), "real": Units("real", 1.0, 1.0)}
_COORDINATE_COLUMNS = {
    ("xu", "yu", "zu"): Coordinates.CARTESIAN_UNWRAPPED,
    ("xsu", "ysu", "zsu"): Coordinates.FRACTIONAL_UNWRAPPED,
    ("x", "y", "z"): Coordinates.CARTESIAN_WRAPPED,
    ("xs", "ys", "zs"): Coordinates.FRACTIONAL_WRAPPED,
}


def units_named(name: str, path: Path) -> Units:
    """Return a unit system.

    Raises
    ------
    InputError
        For one whose length is not the Å: ``lj`` has no scale, ``si``, ``cgs``, ``electron``, ``micro``, ``nano`` are
        refused.
    """
    if name not in _UNITS:
        raise InputError(
            f"{path}: LAMMPS units {name!r} are not read, only metal and real; convert the dump to one of them"
        )
    return _UNITS[name]


@dataclass(frozen=True)
class Columns:
    """Where a dump's columns hold what is read of them; indices of columns, None where absent."""

    names: tuple[str, ...]
    coordinates: Coordinates
    position: tuple[int, int, int]
    velocity: tuple[int, int, int] | None
    image: tuple[int, int, int] | None
    identifier: int | None
    element: int | None
    type: int | None
    mass: int | None


def choose_columns(names: Sequence[str], path: Path) -> Columns:
    """Find the columns of a dump by name: unwrapped coordinates before wrapped ones, Cartesian before scaled."""
    index = {name: i for i, name in enumerate(names)}

    def triple(wanted: tuple[str, ...]) -> tuple[int, int, int] | None:
        return (index[wanted[0]], index[wanted[1]], index[wanted[2]]) if set(wanted) <= set(index) else None

    found_names = [wanted for wanted in _COORDINATE_COLUMNS if triple(wanted)]
    if not found_names:
        found = " ".join(names) or "none"
        raise FormatError(
            f"{path}: columns {found} hold no coordinates; expected x y z, xs ys zs, xu yu zu or xsu ysu zsu"
        )
    meaning, position = _COORDINATE_COLUMNS[found_names[0]], triple(found_names[0]) or (0, 0, 0)
    wrapped = meaning in (Coordinates.CARTESIAN_WRAPPED, Coordinates.FRACTIONAL_WRAPPED)
    return Columns(
        names=tuple(names),
        coordinates=meaning,
        position=position,
        velocity=triple(("vx", "vy", "vz")),
        image=triple(("ix", "iy", "iz")) if wrapped else None,
        identifier=index.get("id"),
        element=index.get("element"),
        type=index.get("type"),
        mass=index.get("mass"),
    )


def box_from_bounds(kind: str, bounds: NDArray[np.float64]) -> tuple[NDArray[np.float64], tuple[float, float, float]]:
    """Return the cell and its origin from the three lines of ``BOX BOUNDS``.

    Parameters
    ----------
    kind
        ``orthogonal`` (lo, hi), ``restricted`` (lo_bound, hi_bound, tilt) or ``general`` (a vector, origin).
    bounds : (3, 2), (3, 3) or (3, 4) Å
    """
    if kind == "general":
        return np.ascontiguousarray(bounds[:, :3]), (float(bounds[0, 3]), float(bounds[1, 3]), float(bounds[2, 3]))
    low, high = bounds[:, 0].copy(), bounds[:, 1].copy()
    xy = xz = yz = 0.0
    if kind == "restricted":
        xy, xz, yz = (float(tilt) for tilt in bounds[:, 2])
        low[0] -= min(0.0, xy, xz, xy + xz)
        high[0] -= max(0.0, xy, xz, xy + xz)
        low[1] -= min(0.0, yz)
        high[1] -= max(0.0, yz)
    edges = high - low
    cell = np.array([[edges[0], 0.0, 0.0], [xy, edges[1], 0.0], [xz, yz, edges[2]]])
    return cell, (float(low[0]), float(low[1]), float(low[2]))


def species_of_types(
    types: NDArray[np.int64],
    species: Mapping[int, str] | Sequence[str] | None,
    masses: NDArray[np.float64] | None,
    path: Path,
) -> NDArray[np.str_]:
    """Return each atom's symbol from its LAMMPS type.

    Parameters
    ----------
    types : (n_atoms,)
    species
        Type to symbol, or symbols of types 1, 2, …; without it the elements are told from the masses.
    masses : (n_atoms,) amu, optional
    """
    present = [int(kind) for kind in np.unique(types)]
    if species is None:
        if masses is None:
            listed = ", ".join(f'{kind}: "…"' for kind in present)
            raise InputError(f"{path}: the dump has atom types but no elements or masses; pass species={{{listed}}}")
        table = {kind: _element_of_mass(float(masses[np.argmax(types == kind)]), kind, path) for kind in present}
    elif isinstance(species, Mapping):
        table = {int(kind): str(symbol) for kind, symbol in species.items()}
    else:
        table = {i + 1: str(symbol) for i, symbol in enumerate(species)}
    missing = [kind for kind in present if kind not in table]
    if missing:
        raise InputError(f"{path}: species names no symbol for atom type {missing[0]}; the dump has types {present}")
    return np.array([table[int(kind)] for kind in types])


def _element_of_mass(mass: float, kind: int, path: Path) -> str:
    from ase.data import atomic_masses, chemical_symbols

    nearest = int(np.nanargmin(np.abs(np.asarray(atomic_masses[1:]) - mass))) + 1
    if abs(float(atomic_masses[nearest]) - mass) > 0.1:
        raise InputError(f"{path}: mass {mass:g} of atom type {kind} is no element's; pass species={{{kind}: …}}")
    return str(chemical_symbols[nearest])
