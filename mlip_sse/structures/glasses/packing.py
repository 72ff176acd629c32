"""Rigid units packed at random into a periodic cube of a given density.

Units go in one after the other, the largest first, each at the best of a few random places. Overlaps that are left are
pushed apart by projections: each pair that is too close moves apart by half its overlap each, and each unit is then put
back into its own shape by the rotation that fits it best (Kabsch). Whatever comes out is whole: no bond is stretched.

References
----------
Best rotation: Kabsch, Acta Cryst. A 32, 922 (1976), doi:10.1107/S0567739476001873.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations_with_replacement

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from mlip_sse.bond_lengths import longest_bond
from mlip_sse.errors import InputError
from mlip_sse.structures.glasses.units import RigidUnit, rigid_unit
from mlip_sse.structures.lineage import with_step

__all__ = ["PackingSettings", "pack_units"]

_A3_G_CM3 = 1.66053906660
_ALLOWED_OVERLAP = 0.05
_MOST_ATOMS = 20_000


@dataclass(frozen=True)
class PackingSettings:
    """How close atoms of two units may be, and how long it is tried.

    Parameters
    ----------
    closest
        Distances in Å by pairs of elements in any order, ``{("Li", "S"): 2.3}``, instead of the default, which goes by
        the longest bond (1.25 times the sum of covalent radii): 1.15 of it between two anions, 0.96 between a cation
        and the centre of an anion (an atom of three bonds or more), 0.76 between a cation and any other atom.
    n_trials
        Random places tried for each unit.
    most_steps
        Projections.
    """

    closest: Mapping[tuple[str, str], float] = field(default_factory=dict)
    n_trials: int = 20
    most_steps: int = 2000

    def __post_init__(self) -> None:
        if self.n_trials < 1 or self.most_steps < 1:
            raise InputError(f"found n_trials {self.n_trials} and most_steps {self.most_steps}, expected 1 or more")
        if any(not 0 < length < 10 for length in self.closest.values()):
            raise InputError(f"found closest distances {dict(self.closest)}, expected between 0 and 10 Å")


def pack_units(
    counts: Mapping[str, int] | Sequence[tuple[RigidUnit, int]],
    density_g_cm3: float,
    seed: int,
    settings: PackingSettings | None = None,
) -> Atoms:
    """Return a cube of units at random places in random orientations.

    ``atoms.arrays["unit"]`` numbers the unit of each atom.

    Parameters
    ----------
    counts
        How many of each unit, by name, or pairs of a `RigidUnit` and a number; their charges must add up to zero.
    density_g_cm3
        Density, met exactly.
    seed
        Of all random numbers.
    settings
        Distances and effort.

    Raises
    ------
    InputError
        When the units are charged, or there is no room for them at this density.
    """
    chosen = settings if settings is not None else PackingSettings()
    units = _units(counts)
    if not density_g_cm3 > 0 or not np.isfinite(density_g_cm3):
        raise InputError(f"found a density of {density_g_cm3!r} g/cm³, expected a positive number")
    atoms = Atoms([symbol for unit in units for symbol in unit.symbols], pbc=True)
    side = float(np.cbrt(atoms.get_masses().sum() * _A3_G_CM3 / density_g_cm3))
    contacts = _Contacts(units, side, chosen)
    if side < 2 * contacts.farthest:
        raise InputError(
            f"found {len(atoms)} atoms in a cube of {side:.2f} Å, expected at least {2 * contacts.farthest:.2f} Å, "
            "where no atom meets its own image: take more atoms or a lower density"
        )
    rng = np.random.default_rng(seed)
    positions = _insert(units, contacts, rng, chosen.n_trials)
    positions = _push_apart(positions, units, contacts, chosen.most_steps, density_g_cm3)
    atoms.set_cell(side * np.eye(3))
    atoms.set_positions(positions)
    atoms.arrays["unit"] = contacts.unit.copy()
    names: dict[str, int] = {}
    for unit in units:
        names[unit.name] = names.get(unit.name, 0) + 1
    return with_step(atoms, "pack units", units=names, density_g_cm3=density_g_cm3, seed=seed)


def _units(counts: Mapping[str, int] | Sequence[tuple[RigidUnit, int]]) -> list[RigidUnit]:
    """Return each unit as often as it is wanted, the largest first."""
    wanted = [(rigid_unit(name), n) for name, n in counts.items()] if isinstance(counts, Mapping) else list(counts)
    if any(n < 0 for _, n in wanted) or not sum(n for _, n in wanted):
        raise InputError(f"found counts {[n for _, n in wanted]}, expected at least one unit and none below zero")
    if charge := sum(n * unit.charge_e for unit, n in wanted):
        parts = ", ".join(f"{n} {unit.name} ({unit.charge_e:+d})" for unit, n in wanted)
        raise InputError(f"found a charge of {charge:+d} e in {parts}, expected none: change the number of cations")
    if (total := sum(n * len(unit) for unit, n in wanted)) > _MOST_ATOMS:
        raise InputError(f"found {total} atoms to pack, expected at most {_MOST_ATOMS}")
    wanted.sort(key=lambda pair: -len(pair[0]))
    return [unit for unit, n in wanted for _ in range(n)]


class _Contacts:
    """Pairs of atoms of different units that are too close."""

    def __init__(self, units: Sequence[RigidUnit], side: float, settings: PackingSettings) -> None:
        self.side = side
        self.unit = np.repeat(np.arange(len(units)), [len(unit) for unit in units])
        keys = [(symbol, role) for unit in units for symbol, role in zip(unit.symbols, _roles(unit), strict=True)]
        kinds = sorted(set(keys))
        self.kind = np.array([kinds.index(key) for key in keys])
        self.closest = np.zeros((len(kinds), len(kinds)))
        for a, b in combinations_with_replacement(range(len(kinds)), 2):
            self.closest[a, b] = self.closest[b, a] = _closest(kinds[a], kinds[b], settings.closest)
        self.farthest = float(self.closest.max())

    def find(
        self, positions: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """Return pairs (n, 2), the vectors from the first to the second in Å, and their overlaps in Å."""
        from scipy.spatial import cKDTree

        wrapped = np.mod(positions, self.side)
        wrapped[wrapped >= self.side] = 0.0
        pairs = cKDTree(wrapped, boxsize=np.full(3, self.side)).query_pairs(self.farthest, output_type="ndarray")
        pairs = pairs[self.unit[pairs[:, 0]] != self.unit[pairs[:, 1]]]
        pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
        steps = positions[pairs[:, 1]] - positions[pairs[:, 0]]
        steps -= self.side * np.rint(steps / self.side)
        overlaps = self.closest[self.kind[pairs[:, 0]], self.kind[pairs[:, 1]]] - np.linalg.norm(steps, axis=1)
        near = overlaps > 0
        return pairs[near], steps[near], overlaps[near]


def _roles(unit: RigidUnit) -> list[str]:
    """Return for each atom whether it is of a cation, or a centre (three bonds or more) or a ligand of another unit."""
    if unit.charge_e > 0:
        return ["cation"] * len(unit)
    apart = np.linalg.norm(unit.positions[:, None] - unit.positions, axis=-1)
    bonds = np.array([[longest_bond(one, other) for other in unit.symbols] for one in unit.symbols])
    n_bonds = (apart <= bonds).sum(axis=1) - 1
    return ["centre" if n > 2 else "ligand" for n in n_bonds]


def _closest(one: tuple[str, str], other: tuple[str, str], given: Mapping[tuple[str, str], float]) -> float:
    for pair in ((one[0], other[0]), (other[0], one[0])):
        if pair in given:
            return float(given[pair])
    bond = longest_bond(one[0], other[0])
    roles = {one[1], other[1]}
    return (0.76 if "cation" in roles and "centre" not in roles else 0.96 if "cation" in roles else 1.15) * bond


def _insert(
    units: Sequence[RigidUnit], contacts: _Contacts, rng: np.random.Generator, n_trials: int
) -> NDArray[np.float64]:
    """Put each unit where, of some random places, it overlaps least with what is there."""
    positions = np.empty((len(contacts.unit), 3))
    n = 0
    for unit in units:
        size = len(unit)
        shapes = unit.positions @ _rotations(rng, n_trials) + contacts.side * rng.random((n_trials, 1, 3))
        steps = shapes[:, :, None] - positions[None, None, :n]
        steps -= contacts.side * np.rint(steps / contacts.side)
        limits = contacts.closest[contacts.kind[n : n + size, None], contacts.kind[None, :n]]
        overlaps = np.maximum(limits - np.sqrt((steps**2).sum(axis=-1)), 0.0)
        positions[n : n + size] = shapes[int(np.argmin((overlaps**2).sum(axis=(1, 2))))]
        n += size
    return positions


def _push_apart(
    positions: NDArray[np.float64],
    units: Sequence[RigidUnit],
    contacts: _Contacts,
    most_steps: int,
    density_g_cm3: float,
) -> NDArray[np.float64]:
    """Move what is too close apart, units as a whole, until no overlap above 0.05 Å is left."""
    groups = _groups(units, contacts.unit)
    for _ in range(most_steps):
        pairs, steps, overlaps = contacts.find(positions)
        if not len(pairs) or overlaps.max() < _ALLOWED_OVERLAP:
            return positions
        lengths = np.maximum(np.linalg.norm(steps, axis=1), 1e-9)
        push = (0.5 * overlaps / lengths)[:, None] * steps
        moves = np.zeros_like(positions)
        np.add.at(moves, pairs[:, 0], -push)
        np.add.at(moves, pairs[:, 1], push)
        pushed = np.bincount(pairs.ravel(), minlength=len(positions))
        positions = _whole(positions, moves, pushed, groups)
    pairs, _, overlaps = contacts.find(positions)
    worst = int(np.argmax(overlaps))
    i, j = pairs[worst]
    symbols = [symbol for unit in units for symbol in unit.symbols]
    limit = float(contacts.closest[contacts.kind[i], contacts.kind[j]])
    raise InputError(
        f"found no packing at {density_g_cm3:g} g/cm³: after {most_steps} steps {symbols[i]} and {symbols[j]} of two "
        f"units are still {limit - overlaps[worst]:.2f} Å apart, expected {limit:.2f} Å; lower the density or the "
        "closest distances"
    )


def _groups(units: Sequence[RigidUnit], unit: NDArray[np.int64]) -> list[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Return, for each kind of unit, the atoms (n_units, n_atoms) and its shape."""
    kinds: dict[int, tuple[RigidUnit, list[int]]] = {}
    for place, each in enumerate(units):
        kinds.setdefault(id(each), (each, []))[1].append(place)
    starts = np.searchsorted(unit, np.arange(len(units)))
    return [
        (starts[np.array(places)][:, None] + np.arange(len(shape)), shape.positions) for shape, places in kinds.values()
    ]


def _whole(
    positions: NDArray[np.float64],
    moves: NDArray[np.float64],
    pushed: NDArray[np.int64],
    groups: Sequence[tuple[NDArray[np.int64], NDArray[np.float64]]],
) -> NDArray[np.float64]:
    """Return the positions after the moves, each unit in its own shape."""
    made = np.empty_like(positions)
    for atoms, shape in groups:
        middle = positions[atoms].mean(axis=1)
        # The mean of the pushes and not of the atoms: a unit that is pushed at one of its atoms gives way as far.
        drift = moves[atoms].sum(axis=1) / np.maximum(pushed[atoms].sum(axis=1), 1)[:, None]
        turned = positions[atoms] + 0.5 * moves[atoms] - middle[:, None]
        u, _, vt = np.linalg.svd(np.einsum("ai,uaj->uij", shape, turned))
        u[:, :, 2] *= np.sign(np.linalg.det(u @ vt))[:, None]
        made[atoms] = shape @ (u @ vt) + (middle + drift)[:, None]
    return made


def _rotations(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    """Return rotations, all equally likely, from unit quaternions, (n, 3, 3)."""
    q = rng.normal(size=(n, 4))
    w, x, y, z = (q / np.linalg.norm(q, axis=1, keepdims=True)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), 2, 0)
