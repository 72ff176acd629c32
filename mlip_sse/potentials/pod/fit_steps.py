"""The steps of a POD fit: sums over the frames (kept on disk every so often), penalty, coefficients, committee."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlip_sse.errors import InputError
from mlip_sse.potentials.pod.accumulate import Environments, accumulate
from mlip_sse.potentials.pod.columns import canonical_order, column_names
from mlip_sse.potentials.pod.descriptors import DescriptorEngine
from mlip_sse.potentials.pod.normal_equations import EquationSums, NormalEquations
from mlip_sse.potentials.pod.potential import PodPotential
from mlip_sse.potentials.pod.solution import solve_equations
from mlip_sse.potentials.pod.specs import PodSpec

if TYPE_CHECKING:
    from mlip_sse.dataset import LabelledFrame

__all__ = ["Fit"]

_SAVE_EVERY = 200
_SUMS_FILE = "sums.npz"


class Fit:
    """One fit; `run` does it.

    Parameters
    ----------
    recipe
        The recipe.
    train, validation
        Frames to fit, and frames that choose the penalty.
    folder
        Where the sums so far are kept.
    progress
        Called with the share done and a line to show.
    """

    def __init__(
        self,
        recipe: PodSpec,
        train: "Sequence[LabelledFrame]",
        validation: "Sequence[LabelledFrame]",
        folder: Path,
        progress: Callable[[float, str], None] | None = None,
    ) -> None:
        if not train:
            raise InputError("found no training frame, expected at least one")
        seen = canonical_order([symbol for frame in train for symbol in frame.symbols])
        self.elements = canonical_order(recipe.elements or seen)
        self.recipe = recipe.model_copy(update={"elements": self.elements})
        self.n_columns = len(column_names(recipe, self.elements))
        self.train, self.validation = train, validation
        self.sums_file = Path(folder) / _SUMS_FILE
        self.name = Path(folder).parent.name if Path(folder).name == "work" else Path(folder).name
        self.progress = progress or (lambda share, line: None)

    def run(self) -> PodPotential:
        """Return the fitted potential."""
        if len(self.recipe.regularisations) > 1 and not self.validation:
            raise InputError(
                f"found {len(self.recipe.regularisations)} values of regularisation and no validation frames, expected "
                "one number, or validation frames to choose on"
            )
        environments = Environments(relative_cutoff=self.recipe.active_set_cutoff)
        equations = self._train(environments)
        held_out = EquationSums(self._empty(0))
        accumulate(
            self.validation, self.recipe, self.elements, held_out, report=self._report_validation, close_pairs=False
        )
        validation = held_out.equations()
        self.progress(0.97, "solving")
        solution = solve_equations(self.recipe, equations, validation)
        self.progress(1.0, solution.choice.describe())
        return PodPotential.from_solution(
            self.recipe, self.name, solution, environments.active_sets(), equations, validation
        )

    def _empty(self, n_members: int) -> NormalEquations:
        return NormalEquations.empty(self.elements, self.recipe.basis(), self.n_columns, n_members)

    def _train(self, environments: Environments) -> NormalEquations:
        """Sum over the training frames, from where an interrupted fit stopped."""
        start = self._resumed(environments)
        done = set(start.frames)
        frames = [frame for frame in self.train if frame.id not in done]
        for first in range(0, len(frames), _SAVE_EVERY):
            sums = EquationSums(start)
            offset = len(done) + first
            accumulate(
                frames[first : first + _SAVE_EVERY],
                self.recipe,
                self.elements,
                sums,
                environments,
                lambda count, offset=offset: self._report_training(offset + count),  # type: ignore[misc]
            )
            start = sums.equations()
            if first + _SAVE_EVERY < len(frames):
                self._keep(start)
        return start

    def _resumed(self, environments: Environments) -> NormalEquations:
        """Return the sums that an interrupted fit of the same recipe left, and take up their environments again."""
        empty = self._empty(self.recipe.committee)
        if not self.sums_file.is_file():
            return empty
        found = NormalEquations.read(self.sums_file)
        here = {frame.id: frame for frame in self.train}
        factors = self.recipe.weights.groups
        if (
            found.elements != empty.elements
            or found.basis != empty.basis
            or factors
            or not set(found.frames) <= set(here)
        ):
            return empty
        with DescriptorEngine(self.recipe, self.elements) as engine:
            for frame_id in found.frames:
                frame = here[frame_id]
                environments.add(frame.symbols, engine.atomic(frame.to_atoms()))
        return found

    def _keep(self, equations: NormalEquations) -> None:
        self.sums_file.parent.mkdir(parents=True, exist_ok=True)
        partial = self.sums_file.with_suffix(".partial")
        partial.write_bytes(equations.to_bytes())
        os.replace(partial, self.sums_file)

    def _report_training(self, done: int) -> None:
        total = len(self.train) + len(self.validation)
        self.progress(0.95 * done / total, f"descriptors of frame {done} of {total}")

    def _report_validation(self, done: int) -> None:
        total = len(self.train) + len(self.validation)
        self.progress(
            0.95 * (len(self.train) + done) / total, f"descriptors of frame {len(self.train) + done} of {total}"
        )
