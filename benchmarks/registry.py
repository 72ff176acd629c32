"""Which cases there are: a case prepares its input once and hands back the call that is measured."""

import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["CASES", "GROUPS", "OURS", "Case", "Group", "Run", "case", "load_cases"]

OURS = "mlip-sse"

Run = Callable[[], float]
"""The measured call. Its value is a physical number that all cases of a group must agree on."""


@dataclass(frozen=True)
class Group:
    """Cases that do the same task and are compared with each other.

    Parameters
    ----------
    title
        What is measured, with a place for the number of frames.
    sizes
        Numbers of frames; each gives a table of its own.
    tolerance
        Relative difference up to which two packages agree on the check value.
    threads
        Numbers of threads that each case is run with.
    """

    title: str
    sizes: tuple[int, ...]
    tolerance: float = 1e-3
    threads: tuple[int, ...] = (1,)


@dataclass(frozen=True)
class Case:
    """One package on one task.

    Parameters
    ----------
    group
        Key of `GROUPS`.
    name
        Row of the table.
    package
        Distribution whose version is shown; `OURS` marks the rows that the others are compared with.
    prepare
        Takes the number of frames and a folder for files, returns the call to measure. Imports its package, so that a
        missing one is an ImportError.
    """

    group: str
    name: str
    package: str
    prepare: Callable[[int, Path], Run]

    @property
    def version(self) -> str | None:
        """Installed version, or None."""
        try:
            return importlib.metadata.version(self.package)
        except importlib.metadata.PackageNotFoundError:
            return None


GROUPS: dict[str, Group] = {
    "msd": Group("Mean squared displacement of 500 ions, {n:,} frames", (2_000, 20_000)),
    "dump": Group("Read a LAMMPS text dump, {n:,} frames of 2,000 atoms", (500,), 1e-5),
    "xdatcar": Group("Read an XDATCAR, {n:,} frames of 2,000 atoms", (500,), 1e-5),
    "extxyz": Group("Read an extended XYZ file, {n:,} frames of 2,000 atoms", (500,), 1e-5),
    "cores": Group("One core and two, 500 ions, {n:,} frames", (20_000,), 1e-12, (1, 2)),
    "memory": Group("Peak memory beyond the trajectory, 500 ions, {n:,} frames", (20_000,)),
    "rdf": Group("g(r) of 2,000 atoms to 10 Å in 200 shells, {n:,} frames", (20,)),
    "rdf_cores": Group("g(r) on one core and two, 2,000 atoms, {n:,} frames", (400,), 1e-12, (1, 2)),
    "rdf_size": Group("g(r) to 10 Å in 200 shells, one frame of {n:,} atoms", (5_000, 50_000, 1_000_000)),
    "structure_factor": Group("S(q) of 2,000 atoms to 4/Å in 80 shells, {n:,} frames", (10,), 0.05),
    "neighbours": Group("Neighbours within 5 Å with vectors, {n:,} atoms", (2_000, 50_000)),
    "radial": Group("8 G2 of 500 ions in 2,000 atoms of two species, {n:,} frames", (10,), 1e-6),
    "angular": Group("8 G2 and 4 G4 of 500 ions in 2,000 atoms of two species, {n:,} frames", (10,), 1e-6),
    "steinhardt": Group("q4 and q6 of 2,000 atoms, neighbours within 3.5 Å, {n:,} frames", (10,), 1e-5),
    "voronoi_order": Group("q4 and q6 of 2,000 atoms with Voronoi weights, {n:,} frames", (10,), 1e-5),
    # pymatgen takes two time origins, whose scatter is a per cent
    "van_hove_self": Group("Self van Hove function of 500 ions, {n:,} frames", (1_000,), 0.05),
    "van_hove_distinct": Group("Distinct van Hove function of 500 ions to 10 Å, {n:,} frames", (1_000,), 5e-3),
    "hop_links": Group("Pairs of {n:,} hops that are close in space and time", (2_000, 1_000_000)),
    "concerted": Group("Concerted hops against chance, {n:,} hops", (1_000_000,)),
    "sites": Group("400 ions on 512 sites, {n:,} frames", (200,)),
}

CASES: list[Case] = []


def case(group: str, name: str, package: str) -> Callable[[Callable[[int, Path], Run]], Callable[[int, Path], Run]]:
    """Register a function as the preparation of a case."""

    def register(prepare: Callable[[int, Path], Run]) -> Callable[[int, Path], Run]:
        CASES.append(Case(group, name, package, prepare))
        return prepare

    return register


def load_cases() -> list[Case]:
    """Import the modules that hold cases and return these in the order of the tables."""
    from benchmarks import (  # noqa: F401  (importing registers them)
        collective_cases,
        environment_cases,
        msd_cases,
        read_cases,
        resource_cases,
        site_cases,
        structure_cases,
    )

    order = list(GROUPS)
    return sorted(CASES, key=lambda entry: order.index(entry.group))
