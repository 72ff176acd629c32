"""Structures away from equilibrium, for potentials to learn from: rattles, strains, vacancies, exchanged atoms.

Every function takes atoms and a seed, leaves them as they are, and returns a distorted copy that says in its lineage
what was done.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from ase import Atoms
from numpy.typing import ArrayLike, NDArray

from mlip_sse.errors import InputError
from mlip_sse.structures.lineage import with_step
from mlip_sse.structures.partial import DEFAULT_OXIDATION_STATES
from mlip_sse.structures.separation import close_pairs, shortest_distances

__all__ = ["exchange_atoms", "random_strain", "rattle", "remove_atoms", "scale_volume", "strain"]

_MAX_STRAIN = 0.25
"""Largest component: 8 where 0.08 was meant is refused."""

_MAX_VOLUME_CHANGE = 0.3
"""The same of the volume, relative."""

_MAX_REDRAWS = 200


def rattle(atoms: Atoms, stdev: float, seed: int, min_distance_ratio: float = 0.8) -> Atoms:
    """Displace every atom by Gaussian noise, and none closer to another than chemistry allows.

    Displacements of pairs that come too close are drawn again.

    Parameters
    ----------
    atoms
        Where to start.
    stdev
        Standard deviation of each Cartesian component in Å.
    seed
        Seed of the random numbers.
    min_distance_ratio
        A pair of elements may come as close as this part of its shortest distance in the start (below 4 Å).

    Raises
    ------
    InputError
        When the noise is so strong that the distances cannot be kept.
    """
    if not 0 <= stdev < 2 or not 0 <= min_distance_ratio < 1:
        raise InputError(
            f"rattle: found stdev={stdev} Å and min_distance_ratio={min_distance_ratio}, expected 0 to 2 Å and 0 to 1"
        )
    limits = {pair: min_distance_ratio * distance for pair, distance in shortest_distances(atoms).items()}
    rng = np.random.default_rng(seed)
    moved = atoms.copy()
    displacements = rng.normal(0.0, stdev, (len(atoms), 3))
    for n_redraws in range(_MAX_REDRAWS):
        moved.positions = atoms.positions + displacements
        offenders = _too_close(moved, limits)
        if not len(offenders):
            return with_step(
                moved, "rattle", stdev=stdev, seed=seed, min_distance_ratio=min_distance_ratio, n_redraws=n_redraws
            )
        displacements[offenders] = rng.normal(0.0, stdev, (len(offenders), 3))
    raise InputError(
        f"rattle: after {_MAX_REDRAWS} redraws {len(offenders)} atoms are still too close with stdev={stdev} Å, "
        f"expected all pairs beyond {min_distance_ratio:g} of their shortest distance: lower one of the two"
    )


def strain(atoms: Atoms, tensor: ArrayLike) -> Atoms:
    """Deform cell and atoms by a symmetric strain, r' = (1 + ε) r.

    Parameters
    ----------
    atoms
        A periodic cell.
    tensor : (3, 3) or (6,)
        ε, or its Voigt components xx, yy, zz, 2yz, 2xz, 2xy.

    Raises
    ------
    InputError
        When ε is not symmetric, not finite, or a component is beyond 0.25.
    """
    epsilon = _symmetric(tensor)
    deformed = atoms.copy()
    deformed.set_cell(atoms.cell.array @ (np.eye(3) + epsilon), scale_atoms=True)
    return with_step(deformed, "strain", tensor=epsilon.tolist())


def random_strain(atoms: Atoms, max_strain: float, seed: int) -> Atoms:
    """Deform a cell by a symmetric strain whose six components are drawn evenly between ± ``max_strain``."""
    if not 0 <= max_strain <= _MAX_STRAIN:
        raise InputError(f"random_strain: found max_strain={max_strain}, expected 0 to {_MAX_STRAIN}")
    xx, yy, zz, yz, xz, xy = np.random.default_rng(seed).uniform(-max_strain, max_strain, 6)
    deformed = strain(atoms, [[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    deformed.info["lineage"][-1].update(operation="random strain", seed=seed, max_strain=max_strain)
    return deformed


def scale_volume(atoms: Atoms, change: float) -> Atoms:
    """Scale the cell evenly, so that its volume changes by ``change`` (-0.08 is 8 % smaller).

    Raises
    ------
    InputError
        When the change is beyond ±0.3.
    """
    if not abs(change) <= _MAX_VOLUME_CHANGE:
        least, most = -_MAX_VOLUME_CHANGE, _MAX_VOLUME_CHANGE
        raise InputError(f"scale_volume: found a change of {change}, expected {least} to {most} (0.08 is 8 %)")
    scaled = atoms.copy()
    scaled.set_cell(atoms.cell.array * np.cbrt(1 + change), scale_atoms=True)
    return with_step(scaled, "scale volume", change=change)


def remove_atoms(
    atoms: Atoms,
    numbers: Mapping[str, int],
    seed: int,
    charge_state: Literal["ionised", "neutral"] = "neutral",
    oxidation_states: Mapping[str, float] | None = None,
) -> Atoms:
    """Make vacancies: take atoms away at random.

    Parameters
    ----------
    atoms
        Where to start.
    numbers
        How many atoms of each element to remove.
    seed
        Seed of the random numbers.
    charge_state
        ``neutral`` removes atoms; the cell stays neutral, with holes or electrons where the charges of what was removed
        do not cancel. ``ionised`` removes ions and leaves their opposite charge to the cell.
    oxidation_states
        Charges in e, for elements whose usual one does not apply.

    Returns
    -------
    Atoms
        With the total charge in e in ``info["charge"]``, and the charge of the removed ions in the lineage.

    Raises
    ------
    InputError
        When there are not as many atoms, or a charge is not known.
    """
    rng = np.random.default_rng(seed)
    states = {**DEFAULT_OXIDATION_STATES, **(oxidation_states or {})}
    symbols = np.array(atoms.get_chemical_symbols())
    gone: list[int] = []
    for element, number in numbers.items():
        present = np.flatnonzero(symbols == element)
        if not 0 <= number <= len(present) or number == len(atoms):
            raise InputError(
                f"vacancies: asked for {number} of {element}, found {len(present)} in {atoms.symbols}: ask for fewer"
            )
        if element not in states:
            raise InputError(f"vacancies: no oxidation state for {element}: give oxidation_states={{{element!r}: ...}}")
        gone += rng.choice(present, size=number, replace=False).tolist()
    removed_charge = sum(states[element] * number for element, number in numbers.items())
    left = atoms.copy()
    del left[sorted(gone)]
    if charge_state == "ionised":
        left.info["charge"] = float(atoms.info.get("charge", 0.0)) - removed_charge
    elif charge_state != "neutral":
        raise InputError(f"vacancies: found charge_state {charge_state!r}, expected 'neutral' or 'ionised'")
    return with_step(
        left,
        "vacancies",
        numbers=dict(numbers),
        indices=sorted(gone),
        seed=seed,
        charge_state=charge_state,
        removed_ionic_charge=removed_charge,
    )


def exchange_atoms(atoms: Atoms, elements: Sequence[str], n_pairs: int, seed: int) -> Atoms:
    """Make antisite pairs: let atoms of two elements change places at random.

    Parameters
    ----------
    atoms
        Where to start.
    elements
        The two elements.
    n_pairs
        How many pairs change places; no atom twice.
    seed
        Seed of the random numbers.

    Raises
    ------
    InputError
        When there are not as many atoms of either.
    """
    symbols = np.array(atoms.get_chemical_symbols())
    if len(elements) != 2 or elements[0] == elements[1]:
        raise InputError(f"antisites: found {list(elements)}, expected two different elements")
    sites = [np.flatnonzero(symbols == element) for element in elements]
    if not 1 <= n_pairs <= min(map(len, sites)):
        raise InputError(
            f"antisites: asked for {n_pairs} pairs, found {len(sites[0])} {elements[0]} and {len(sites[1])} "
            f"{elements[1]}: ask for as many as there are of each"
        )
    rng = np.random.default_rng(seed)
    first, second = (rng.choice(present, size=n_pairs, replace=False) for present in sites)
    swapped = atoms.copy()
    swapped.symbols[first] = elements[1]
    swapped.symbols[second] = elements[0]
    pairs = [[int(i), int(j)] for i, j in zip(first, second, strict=True)]
    return with_step(swapped, "antisites", elements=list(elements), pairs=pairs, seed=seed)


def _too_close(atoms: Atoms, limits: Mapping[tuple[str, str], float]) -> NDArray[np.int64]:
    """Return the atoms of all pairs that are nearer than the limit of their elements."""
    if not limits:
        return np.empty(0, dtype=np.int64)
    symbols = atoms.get_chemical_symbols()
    first, second, distances = close_pairs(atoms, max(limits.values()))
    least = np.array(
        [
            limits.get((min(a, b), max(a, b)), 0.0)
            for a, b in ((symbols[i], symbols[j]) for i, j in zip(first, second, strict=True))
        ]
    )
    bad = distances < least - 1e-9
    return np.unique(np.concatenate([first[bad], second[bad]]))


def _symmetric(tensor: ArrayLike) -> NDArray[np.float64]:
    epsilon = np.asarray(tensor, dtype=np.float64)
    if epsilon.shape == (6,):
        xx, yy, zz, yz, xz, xy = epsilon
        epsilon = np.array([[xx, xy / 2, xz / 2], [xy / 2, yy, yz / 2], [xz / 2, yz / 2, zz]])
    if epsilon.shape != (3, 3):
        raise InputError(f"strain: found an array of shape {epsilon.shape}, expected (3, 3) or (6,)")
    if not np.all(np.isfinite(epsilon)) or np.abs(epsilon).max() > _MAX_STRAIN:
        raise InputError(f"strain: found a component of {np.abs(epsilon).max():.3g}, expected at most {_MAX_STRAIN}")
    if not np.allclose(epsilon, epsilon.T, atol=1e-12):
        raise InputError("strain: the tensor is not symmetric, expected one without rotation: give (ε + εᵀ)/2")
    return epsilon
