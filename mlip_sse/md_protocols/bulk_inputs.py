"""What the tasks of bulk diffusion are made of: decks, structure data and the files of one potential."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms

from mlip_sse.engine import Work
from mlip_sse.errors import RunError, SpecError
from mlip_sse.md_protocols.bulk_decks import cell_deck, segment_deck
from mlip_sse.md_protocols.bulk_specs import BulkDynamicsSpec
from mlip_sse.potentials import LammpsInput, Potential
from mlip_sse.potentials.lammps_data import data_text
from mlip_sse.potentials.lammps_install import find_executable
from mlip_sse.provenance import sha256_of_file

__all__ = ["BulkInputs", "bulk_work", "mean_cell"]


@dataclass(frozen=True, eq=False)
class BulkInputs:
    """The tasks of bulk diffusion of one structure with one potential.

    Parameters
    ----------
    spec
        Temperatures, seeds and durations.
    atoms
        The start.
    lines
        The potential's deck lines.
    """

    spec: BulkDynamicsSpec
    atoms: Atoms
    lines: LammpsInput

    @classmethod
    def of(cls, spec: BulkDynamicsSpec, atoms: Atoms, potential: Potential) -> "BulkInputs":
        """Return the tasks.

        Raises
        ------
        SpecError
            When a temperature lies outside the potential's domain, or the charge current of ions without charges is
            asked for.
        InputError
            When the potential does not know an element.
        """
        potential.require_temperatures("temperatures_k", spec.temperatures_k)
        lines = potential.lammps_for(atoms.get_chemical_symbols())
        if spec.current_every_fs is not None and lines.charges_e is None:
            raise SpecError(
                f"current_every_fs: found {spec.current_every_fs:g}, but the ions of {potential.card.name!r} carry no "
                "charges, expected no such key: take the conductivity from the displacements"
            )
        return cls(spec, atoms, lines)

    @property
    def files(self) -> dict[str, str]:
        """The sha256 of each of the potential's files, by its name."""
        return {file.name: sha256_of_file(file) for file in self.lines.files}

    @property
    def labels(self) -> list[dict[str, Any]]:
        """Temperature and seed of each production run, in their order."""
        return [{"temperature_k": t, "seed": seed} for t in self.spec.temperatures_k for seed in self.spec.seeds]

    def cells(self) -> list[dict[str, Any]]:
        """Return the inputs of the tasks that find the mean cell, one for each temperature."""
        data, files = data_text(self.atoms, self.lines), self.files
        decks = [cell_deck(self.spec, self.lines, t) for t in self.spec.temperatures_k]
        return [{"kind": "cell", "deck": deck, "data": data, "files": files} for deck in decks]

    def productions(self, cells: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return the inputs of the production runs, one for each of `labels`.

        Parameters
        ----------
        cells
            The mean cell of each temperature, as `mean_cell` returns it.
        """
        spec, files = self.spec, self.files
        sides = {t: cell["cell_sides_a"] for t, cell in zip(spec.temperatures_k, cells, strict=True)}
        return [
            {
                "kind": "production",
                "files": files,
                "data": data_text(self._with_cell(sides[label["temperature_k"]]), self.lines),
                "decks": [
                    segment_deck(spec, self.lines, **label, n_steps=n_steps, is_first=index == 0)
                    for index, n_steps in enumerate(spec.segments)
                ],
            }
            for label in self.labels
        ]

    def _with_cell(self, sides: Sequence[float]) -> Atoms:
        """Return the atoms scaled to a mean cell; where the volume alone moved, the shape stays exactly as it was."""
        lx, ly, lz, xy, xz, yz = sides
        scaled = self.atoms.copy()
        if self.spec.cell == "isotropic":
            cell = self.atoms.cell.array * np.cbrt(lx * ly * lz / self.atoms.get_volume())
        else:
            cell = np.array([[lx, 0, 0], [xy, ly, 0], [xz, yz, lz]])
        scaled.set_cell(cell, scale_atoms=True)
        return scaled


def bulk_work(potentials: Iterable[BulkInputs], time_limit_s: float) -> Work:
    """Return how the tasks of one or several potentials are done, in one batch."""
    files = [file for each in potentials for file in each.lines.files]
    places = {sha256_of_file(file): os.fspath(file) for file in files}
    settings = {"executable": os.fspath(find_executable().absolute()), "files": places}
    return Work("mlip_sse.md_protocols.bulk_tasks:start", settings, time_limit_s, "bulk_diffusion")


def mean_cell(result: Mapping[str, Any], temperature_k: float) -> dict[str, Any]:
    """Return the result of a cell's task with its temperature.

    Raises
    ------
    RunError
        When its dynamics ended early.
    """
    if result["ended"] is not None:
        raise RunError(f"no mean cell at {temperature_k:g} K: {result['ended']['kind']}, {result['ended']['reason']}")
    return {"temperature_k": temperature_k, **result}
