"""Sites: where mobile ions rest, as fractions of the trajectory's cell, each with the label of its class."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["SiteTemplate", "Sites", "closest_pair", "nearest_neighbours", "template_from_file", "template_from_wyckoff"]

_SAME_PLACE = 0.05
"""Å; positions nearer than this are one place."""


@dataclass(frozen=True, eq=False)
class Sites:
    """Sites in the cell of a trajectory.

    Parameters
    ----------
    fractional : (n_sites, 3) fractions of the cell vectors, in [0, 1)
    labels : (n_sites,)
        Class of each site; sites of one class are pooled in statistics.
    cell : (3, 3) Å, rows are the vectors of the trajectory's mean cell
    origin
        Where the sites came from, in words, with the numbers of the fit.
    doubt
        Why they may be wrong; empty where nothing speaks against them.
    """

    fractional: NDArray[np.float64]
    labels: NDArray[np.str_]
    cell: NDArray[np.float64]
    origin: str = ""
    doubt: str = ""

    def __post_init__(self) -> None:
        shape = np.shape(self.fractional)
        if len(shape) != 2 or shape[1] != 3 or not shape[0]:
            raise InputError(f"fractional has shape {shape}, expected (n_sites, 3) with at least one site")
        if np.shape(self.labels) != shape[:1]:
            raise InputError(f"labels has shape {np.shape(self.labels)}, expected {shape[:1]}: one for each site")
        if not np.isfinite(self.fractional).all():
            site = int(np.flatnonzero(~np.isfinite(self.fractional).all(axis=1))[0])
            raise InputError(f"the position of site {site} is not finite: {self.fractional[site].tolist()}")
        object.__setattr__(self, "fractional", np.ascontiguousarray(np.mod(self.fractional, 1.0)))

    def __len__(self) -> int:
        return len(self.fractional)

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels, each once, in alphabetical order."""
        return tuple(str(label) for label in np.unique(self.labels))

    @cached_property
    def class_of(self) -> NDArray[np.int64]:
        """Which of `classes` each site is, (n_sites,)."""
        return np.unique(self.labels, return_inverse=True)[1].astype(np.int64)

    @cached_property
    def closest(self) -> tuple[float, int, int]:
        """Distance of the closest two sites in Å (images included) and which two they are."""
        return closest_pair(self.fractional, self.cell)

    def check_radius(self, radius: float) -> None:
        """Refuse a radius at which the spheres of two sites overlap.

        Raises
        ------
        InputError
            When two sites are closer than twice the radius, or the radius is not below half the cell's smallest height.
        """
        distance, one, other = self.closest
        if distance < 2 * radius * (1 - 1e-9):
            raise InputError(
                f"sites {one} ({self.labels[one]}) and {other} ({self.labels[other]}) are {distance:.3f} Å apart, "
                f"closer than twice the radius of {radius:g} Å: take a radius of at most {distance / 2:.3f} Å, merge "
                "the sites, or assign to the nearest site"
            )
        height = float(1.0 / np.linalg.norm(np.linalg.inv(self.cell), axis=0).max())
        if not 0 < radius < 0.5 * height:
            raise InputError(
                f"the radius is {radius:g} Å, expected more than zero and less than half the smallest height of the "
                f"cell, {0.5 * height:.3f} Å"
            )


def closest_pair(fractional: NDArray[np.float64], cell: NDArray[np.float64]) -> tuple[float, int, int]:
    """Return the distance of the closest two of some points in Å, images included, and which two they are.

    Parameters
    ----------
    fractional : (n_points, 3) fractions of the cell vectors
    cell : (3, 3) Å
    """
    distances, partners = nearest_neighbours(fractional, cell)
    one = int(distances.argmin())
    other = int(partners[one])
    return float(distances[one]), min(one, other), max(one, other)


def nearest_neighbours(
    fractional: NDArray[np.float64], cell: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the distance of each point's nearest neighbour in Å, images included (its own too), and which it is.

    Parameters
    ----------
    fractional : (n_points, 3) fractions of the cell vectors
    cell : (3, 3) Å
    """
    from scipy.spatial import cKDTree

    from mlip_sse.trajectory.unwrap import reduction_of

    reduction = reduction_of(cell)
    points = np.mod(fractional @ np.linalg.inv(reduction), 1.0)
    shifts = np.array(list(itertools.product((0, -1, 1), repeat=3)), dtype=np.float64)
    images = (points[None] + shifts[:, None]).reshape(-1, 3) @ (reduction @ cell)
    near = cKDTree(images).query(images[: len(points)], k=2)
    distances: NDArray[np.float64] = np.asarray(near[0], dtype=np.float64)
    found = np.asarray(near[1], dtype=np.int64)
    # points at one place may come in any order
    other = np.where(found[:, 0] == np.arange(len(points)), found[:, 1], found[:, 0])
    return distances[:, 1], other % len(points)


@dataclass(frozen=True, eq=False)
class SiteTemplate:
    """Sites and framework of a unit cell, before it is laid over a trajectory.

    Parameters
    ----------
    cell : (3, 3) Å, rows are the vectors of the unit cell; None for the trajectory's mean cell over ``repeats``
    fractional : (n_sites, 3) fractions of the unit cell
    labels : (n_sites,)
    framework : (n_atoms, 3) fractions of the unit cell, perhaps of no atoms
    framework_species : (n_atoms,) tuples of the species that may stand there
    name
        For messages.
    """

    cell: NDArray[np.float64]
    fractional: NDArray[np.float64]
    labels: NDArray[np.str_]
    framework: NDArray[np.float64]
    framework_species: tuple[tuple[str, ...], ...]
    name: str


def template_from_file(
    path: str | Path,
    site_species: Mapping[str, str | Sequence[str]],
    framework_species: Mapping[str, Sequence[str]] | None = None,
) -> SiteTemplate:
    """Read the sites of a CIF, or of any structure file that ASE reads.

    Parameters
    ----------
    path
        The file.
    site_species
        Label of each site class and the element, or elements, that mark its sites in the file: ``{"Li": "Li"}``, or
        ``{"T5": "Li", "T2": "Na"}`` for a file that marks classes with elements of its own.
    framework_species
        Elements of the file that mark the framework and the trajectory's species that may stand there; by default
        every other element, standing for itself.

    Raises
    ------
    InputError
        When the file cannot be read or lacks a named element.
    """
    import warnings

    from ase.io import read

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            atoms: Atoms = read(path, index=0)
    except Exception as error:  # ASE's readers raise whatever they meet
        message = f"{path} cannot be read as a structure ({error}); expected a CIF or another structure file"
        raise InputError(message) from error
    symbols = np.array(atoms.get_chemical_symbols())
    present = sorted(set(symbols.tolist()))
    fractional, labels = [], []
    marking: set[str] = set()
    for label, elements in site_species.items():
        for element in [elements] if isinstance(elements, str) else elements:
            if element not in present:
                raise InputError(f"{path} has no {element} for sites {label!r}, it holds {', '.join(present)}")
            marking.add(element)
            chosen = atoms.get_scaled_positions()[symbols == element]
            fractional.append(chosen)
            labels += [label] * len(chosen)
    if framework_species is None:
        framework_species = {element: (element,) for element in present if element not in marking}
    for element in framework_species:
        if element not in present:
            raise InputError(f"{path} has no {element} for the framework, it holds {', '.join(present)}")
    rows = [k for k, symbol in enumerate(symbols) if symbol in framework_species]
    return SiteTemplate(
        cell=np.asarray(atoms.cell.array, dtype=np.float64),
        fractional=_once(np.concatenate(fractional), np.array(labels), np.asarray(atoms.cell.array), str(path)),
        labels=np.array(labels),
        framework=atoms.get_scaled_positions()[rows],
        framework_species=tuple(tuple(framework_species[symbols[k]]) for k in rows),
        name=str(path),
    )


def template_from_wyckoff(
    spacegroup: int | str,
    positions: Mapping[str, Sequence[float]],
    cell: NDArray[np.float64],
    framework: Mapping[str, Sequence[Sequence[float]]] | None = None,
) -> SiteTemplate:
    """Make the sites of a list of Wyckoff positions.

    Parameters
    ----------
    spacegroup
        Number or symbol in the International Tables' first setting.
    positions
        One position of each site class by its label.
    cell : (3, 3) Å
        The unit cell, rows are its vectors.
    framework
        Positions of framework species, to lay the cell over the trajectory; without them its origin is kept.

    Raises
    ------
    InputError
        When the space group is unknown or two positions give the same sites.
    """
    from ase.spacegroup import Spacegroup

    try:
        group = Spacegroup(spacegroup)
    except Exception as error:  # ASE raises several kinds
        raise InputError(
            f"space group {spacegroup!r} is unknown, expected a number from 1 to 230 or a symbol"
        ) from error

    def orbit(position: Sequence[float]) -> NDArray[np.float64]:
        sites: NDArray[np.float64] = np.asarray(group.equivalent_sites([list(position)])[0], dtype=np.float64)
        return sites

    orbits = {label: orbit(position) for label, position in positions.items()}
    labels = np.array([label for label, sites in orbits.items() for _ in range(len(sites))])
    name = f"Wyckoff positions in {group.symbol}"
    stands = [(species, orbit(p)) for species, places in (framework or {}).items() for p in places]
    return SiteTemplate(
        cell=np.asarray(cell, dtype=np.float64),
        fractional=_once(np.concatenate(list(orbits.values())), labels, np.asarray(cell), name),
        labels=labels,
        framework=np.concatenate([sites for _, sites in stands]) if stands else np.empty((0, 3)),
        framework_species=tuple((species,) for species, sites in stands for _ in range(len(sites))),
        name=name,
    )


def _once(
    fractional: NDArray[np.float64], labels: NDArray[np.str_], cell: NDArray[np.float64], name: str
) -> NDArray[np.float64]:
    distance, one, other = closest_pair(fractional, cell)
    if one != other and distance < _SAME_PLACE:
        raise InputError(
            f"{name}: sites {one} ({labels[one]}) and {other} ({labels[other]}) are {distance:.3f} Å apart: one place "
            "is listed twice, keep one of them"
        )
    return fractional
