"""A fitted POD potential: coefficients for `pair_style pod`, and the sums from which more frames or experts go on."""

import atexit
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import FormatError, InputError
from mlip_sse.potentials.contract import Card, FittedPotential, LammpsInput
from mlip_sse.potentials.model_folder import read_model_folder, write_model_folder
from mlip_sse.potentials.pod.card import fresh_card
from mlip_sse.potentials.pod.columns import canonical_order, column_names, embedding
from mlip_sse.potentials.pod.model_files import (
    COEFFICIENTS_FILE,
    EQUATIONS_FILE,
    PARAMETERS_FILE,
    UNCERTAINTY_FILE,
    VALIDATION_FILE,
    read_uncertainty,
    uncertainty_bytes,
)
from mlip_sse.potentials.pod.normal_equations import NormalEquations
from mlip_sse.potentials.pod.parameter_file import (
    coefficients_text,
    parameters_text,
    read_coefficients,
    read_parameters,
)
from mlip_sse.potentials.pod.short_range_core import core_pair_lines, standard_masses
from mlip_sse.potentials.pod.solution import (
    Solution,
)
from mlip_sse.potentials.pod.specs import PodSpec
from mlip_sse.specs import Spec

if TYPE_CHECKING:
    from ase import Atoms

    from mlip_sse.dataset import LabelledFrame
    from mlip_sse.potentials.pod.calculator import PodCalculator
    from mlip_sse.potentials.uncertainty.active_set import ActiveSet

__all__ = ["PodPotential"]


class PodPotential(FittedPotential):
    """A linear potential on POD descriptors, with committee, active sets and the equations it came from.

    Parameters
    ----------
    recipe
        The recipe, its elements filled in.
    card
        What a user must know.
    coefficients
        (n_columns,) eV, elements by atomic number.
    committee
        (n_members, n_columns) eV.
    active_sets
        Of each element.
    equations, validation
        Sums over the training and the validation frames; None where they were not kept.
    folder
        Where the files of the pair style lie already; None: a temporary one is made when they are needed.
    """

    family = "pod"

    def __init__(
        self,
        recipe: PodSpec,
        card: Card,
        coefficients: NDArray[np.float64],
        committee: NDArray[np.float64],
        active_sets: "Mapping[str, ActiveSet]",
        equations: NormalEquations | Path | None,
        validation: NormalEquations | Path | None,
        folder: Path | None = None,
    ) -> None:
        if recipe.elements is None:
            raise InputError("found a recipe without elements, expected them: fit it")
        self.recipe = recipe
        self.elements = canonical_order(recipe.elements)
        self.coefficients = coefficients
        self.committee = committee
        self.active_sets = dict(active_sets)
        self._card = card
        self._equations, self._validation = equations, validation
        self._folder = folder

    @classmethod
    def fit(
        cls,
        recipe: Spec,
        train: "Sequence[LabelledFrame]",
        validation: "Sequence[LabelledFrame]",
        folder: Path,
        *,
        progress: Callable[[float, str], None] | None = None,
    ) -> "PodPotential":
        """Fit to frames; the sums so far lie in ``folder`` every 200 frames and are taken up again.

        Parameters
        ----------
        recipe
            The recipe.
        train, validation
            Frames to fit, and frames that choose the penalty.
        folder
            For the sums so far.
        progress
            Called with the share done and a line to show.

        Raises
        ------
        InputError
            When there is no frame, a frame cannot be fitted, or several penalties meet no validation frame.
        """
        from mlip_sse.potentials.pod.fit_steps import Fit

        if not isinstance(recipe, PodSpec):
            raise InputError(f"found a recipe of {type(recipe).__name__}, expected PodSpec")
        return Fit(recipe, train, validation, folder, progress).run()

    @classmethod
    def from_solution(
        cls,
        recipe: PodSpec,
        name: str,
        solution: Solution,
        active_sets: "Mapping[str, ActiveSet]",
        equations: NormalEquations,
        validation: NormalEquations,
    ) -> "PodPotential":
        """Return a potential with a fresh card: data and penalty are known, errors and gates are not."""
        card = fresh_card(recipe, name, equations, validation, solution.choice)
        return cls(recipe, card, solution.coefficients, solution.committee, active_sets, equations, validation)

    @classmethod
    def from_recipe(cls, recipe: Spec, path: Path) -> "PodPotential":
        """Load what `save` wrote.

        Raises
        ------
        FormatError
            When a file is missing, damaged, or does not belong to the recipe.
        """
        if not isinstance(recipe, PodSpec):
            raise InputError(f"{path}: found a recipe of {type(recipe).__name__}, expected PodSpec")
        folder = path.resolve().parent
        kept = tuple(name for name in (EQUATIONS_FILE, VALIDATION_FILE) if (folder / name).is_file())
        card, files = read_model_folder(path, (PARAMETERS_FILE, COEFFICIENTS_FILE, UNCERTAINTY_FILE, *kept))
        if recipe.elements is None:
            raise FormatError(f"{path}: found a fitted recipe without elements, expected them: fit it again")
        elements = canonical_order(recipe.elements)
        wanted = parameters_text(recipe, elements)
        if files[PARAMETERS_FILE].read_text(encoding="ascii") != wanted:
            species = read_parameters(files[PARAMETERS_FILE])["species"]
            raise FormatError(
                f"{files[PARAMETERS_FILE]}: found parameters for {', '.join(species)} other than the recipe's, "
                "expected the same: fit the recipe again"
            )
        coefficients = read_coefficients(files[COEFFICIENTS_FILE], len(column_names(recipe, elements)))
        committee, active_sets = read_uncertainty(files[UNCERTAINTY_FILE], len(coefficients))
        equations, validation = (files.get(name) for name in (EQUATIONS_FILE, VALIDATION_FILE))
        return cls(recipe, card, coefficients, committee, active_sets, equations, validation, folder)

    @property
    def card(self) -> Card:
        """What a user must know."""
        return self._card

    @cached_property
    def equations(self) -> NormalEquations:
        """The sums over the training frames.

        Raises
        ------
        InputError
            When they were not kept with the potential.
        """
        return self._kept(self._equations, EQUATIONS_FILE)

    @cached_property
    def validation_equations(self) -> NormalEquations:
        """The sums over the validation frames."""
        return self._kept(self._validation, VALIDATION_FILE)

    def _kept(self, found: NormalEquations | Path | None, name: str) -> NormalEquations:
        if found is None:
            raise InputError(
                f"potential {self.card.name!r} was saved without its equations ({name}), expected them to add "
                "frames or to combine: fit the recipe again"
            )
        return NormalEquations.read(found) if isinstance(found, Path) else found

    def with_card(self, **changes: Any) -> "PodPotential":
        """Return the same potential with fields of its card changed."""
        return PodPotential(
            self.recipe,
            replace(self._card, **changes),
            self.coefficients,
            self.committee,
            self.active_sets,
            self._equations,
            self._validation,
            self._folder,
        )

    def member(self, number: int) -> "PodPotential":
        """Return a potential with the coefficients of one member of the committee, to be run on its own.

        It has neither committee nor sums, and its card none of the errors and gates, which are not its own.

        Parameters
        ----------
        number
            Of the member, from 0.

        Raises
        ------
        InputError
            When there is no such member.
        """
        from mlip_sse.potentials.pod.members import member_of

        return member_of(self, number)

    def lammps(self, elements: Sequence[str] | None = None) -> LammpsInput:
        """Return the deck lines for atom types in the order of ``elements``; the files go beside the deck.

        Raises
        ------
        InputError
            When an element is not known, or the order cannot be had beyond three bodies.
        """
        return self._lines(elements, ("", ""))

    def _lines(self, elements: Sequence[str] | None, prefixes: tuple[str, str]) -> LammpsInput:
        order = self.elements if elements is None else tuple(elements)
        if stray := [element for element in order if element not in self.elements]:
            known = ", ".join(self.elements)
            raise InputError(
                f"potential {self.card.name!r} knows {known}, not {', '.join(stray)}: choose another potential"
            )
        core, folder = self.recipe.core, self._files_folder(order)
        before, after = prefixes
        files = f"{before}{PARAMETERS_FILE}{after} {before}{COEFFICIENTS_FILE}{after} {' '.join(order)}"
        if core.style == "none":
            lines: tuple[str, ...] = ("pair_style pod", f"pair_coeff * * {files}")
        else:
            lines = (
                f"pair_style hybrid/overlay pod {core.style} {core.inner!r} {core.outer!r}",
                f"pair_coeff * * pod {files}",
                *core_pair_lines(core, order, overlay=True),
            )
        paths = (folder / PARAMETERS_FILE, folder / COEFFICIENTS_FILE)
        return LammpsInput(order, standard_masses(order), None, lines, paths)

    def calculator(self) -> "PodCalculator":
        """Return an ASE calculator, also of ``extrapolation_grade``, ``energy_std`` and ``forces_std`` by name."""
        from mlip_sse.potentials.pod.calculator import PodCalculator
        from mlip_sse.potentials.pod.descriptors import DescriptorEngine

        lines = self._lines(self.elements, self._quotes(self.elements))
        return PodCalculator(lines, DescriptorEngine(self.recipe, self.elements), self.active_sets, self.committee)

    def quoted_files(self) -> str:
        """Return the two files of the pair style as a deck in this process may name them, elements by atomic number."""
        before, after = self._quotes(self.elements)
        return f"{before}{PARAMETERS_FILE}{after} {before}{COEFFICIENTS_FILE}{after}"

    def _quotes(self, order: tuple[str, ...]) -> tuple[str, str]:
        return f'"{self._files_folder(order)}/', '"'

    def descriptors(self, atoms: "Atoms") -> NDArray[np.float64]:
        """Return the descriptors of each atom, (n_atoms, n_descriptors)."""
        from mlip_sse.potentials.pod.descriptors import DescriptorEngine

        with DescriptorEngine(self.recipe, self.elements) as engine:
            return engine.atomic(atoms)

    def add_frames(
        self,
        frames: "Sequence[LabelledFrame]",
        validation: "Sequence[LabelledFrame]" = (),
        *,
        mixed: Sequence[str] = (),
    ) -> "PodPotential":
        """Return the potential that old and new frames give together, without reading the old ones.

        Parameters
        ----------
        frames
            New training frames; their elements may be new.
        validation
            New frames that help to choose the penalty.
        mixed
            Digests of fingerprints that may stand together although the labels were made in different ways.

        Raises
        ------
        InputError
            When a frame was counted already, or the equations were not kept.
        """
        from mlip_sse.potentials.pod.combination import grown

        return grown(self, frames, validation, mixed)

    @classmethod
    def combine(
        cls, potentials: "Sequence[PodPotential]", *, name: str | None = None, mixed: Sequence[str] = ()
    ) -> "PodPotential":
        """Return what a fit on the frames of all would give; see `combination.combine`."""
        from mlip_sse.potentials.pod.combination import combine

        return combine(potentials, name=name, mixed=mixed)

    def save(self, folder: str | Path, *, keep_equations: bool | None = None) -> Path:
        """Write recipe, files and card into ``folder``.

        Parameters
        ----------
        folder
            A new folder, an empty one, or that of a potential, which is replaced.
        keep_equations
            Whether the sums go with it: without them it is small, but takes no more frames and is not combined. None:
            as the recipe says.
        """
        keep = self.recipe.keep_equations if keep_equations is None else keep_equations
        files = {
            PARAMETERS_FILE: parameters_text(self.recipe, self.elements).encode(),
            COEFFICIENTS_FILE: coefficients_text(self.coefficients).encode(),
            UNCERTAINTY_FILE: uncertainty_bytes(self.committee, self.active_sets, small=not keep),
        }
        if keep and self._equations is not None and self._validation is not None:
            files[EQUATIONS_FILE] = self.equations.to_bytes()
            files[VALIDATION_FILE] = self.validation_equations.to_bytes()
        write_model_folder(folder, self.recipe, self._card, files)
        return Path(folder)

    def _files_folder(self, order: tuple[str, ...]) -> Path:
        """Return a folder that holds the files of the pair style for types in this order."""
        if order == self.elements and self._folder is not None:
            return self._folder
        folder = self._temporary / "-".join(order)
        if not folder.is_dir():
            # LAMMPS numbers the elements as they appear and never reads their names, so that each order has own files.
            coefficients = self.coefficients[embedding(self.recipe, order, self.elements)]
            folder.mkdir()
            (folder / PARAMETERS_FILE).write_text(parameters_text(self.recipe, order), encoding="ascii")
            (folder / COEFFICIENTS_FILE).write_text(coefficients_text(coefficients), encoding="ascii")
        return folder

    @cached_property
    def _temporary(self) -> Path:
        # Calculators and deck lines name files in it and may outlive the potential: it goes with the process.
        folder = Path(tempfile.mkdtemp(prefix="mlip-sse-pod-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return folder
