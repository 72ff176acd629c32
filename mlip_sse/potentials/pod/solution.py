"""From equations to coefficients: the penalty chosen, the fit on all frames, and the members of the committee."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlip_sse.potentials.pod.accumulate import Environments
from mlip_sse.potentials.pod.close_pairs import lone_pair_rows
from mlip_sse.potentials.pod.columns import column_names, embedding
from mlip_sse.potentials.pod.normal_equations import NormalEquations
from mlip_sse.potentials.pod.ridge import Choice, choose_penalty, solve
from mlip_sse.potentials.pod.specs import PodSpec

if TYPE_CHECKING:
    from mlip_sse.potentials.uncertainty.active_set import ActiveSet

__all__ = ["Solution", "embed_active_sets", "embed_equations", "merge_environments", "solve_equations"]


@dataclass(frozen=True, eq=False)
class Solution:
    """What the equations give.

    Parameters
    ----------
    coefficients
        (n_columns,) eV.
    committee
        (n_members, n_columns) eV.
    choice
        The penalty.
    """

    coefficients: NDArray[np.float64]
    committee: NDArray[np.float64]
    choice: Choice


def solve_equations(spec: PodSpec, equations: NormalEquations, validation: NormalEquations) -> Solution:
    """Solve for the coefficients of the fit and of each member, all at the same penalty and with the same lone pairs.

    Parameters
    ----------
    spec
        The recipe.
    equations
        Of the training frames.
    validation
        Of the frames that choose the penalty; may be empty where the recipe gives one penalty.
    """
    grams, moments = equations.gram, equations.moment
    if spec.core.prior > 0:
        rows, labels = lone_pair_rows(spec, equations.elements, equations.closest)
        grams, moments = grams + rows.T @ rows, moments + rows.T @ labels
    held_out = (validation.gram[0], validation.moment[0], float(validation.square[0]), float(validation.weight[0]))
    choice = choose_penalty(grams[0], moments[0], held_out, spec.regularisations)
    solved = [solve(gram, moment, choice.penalty) for gram, moment in zip(grams, moments, strict=True)]
    return Solution(solved[0], np.array(solved[1:]).reshape(-1, equations.n_columns), choice)


def embed_equations(equations: NormalEquations, spec: PodSpec, elements: tuple[str, ...]) -> NormalEquations:
    """Return the equations among the columns of more elements."""
    if elements == equations.elements:
        return equations
    return equations.embedded(
        elements, len(column_names(spec, elements)), embedding(spec, equations.elements, elements)
    )


def embed_active_sets(
    sets: "Mapping[str, ActiveSet]", spec: PodSpec, known: tuple[str, ...], elements: tuple[str, ...]
) -> "dict[str, ActiveSet]":
    """Return active sets among the descriptors of more elements; descriptors of new neighbours are 0 in them."""
    from mlip_sse.potentials.uncertainty.active_set import select_active_set

    if elements == known:
        return dict(sets)
    places = embedding(spec, known, elements).reshape(len(known), -1)
    n_descriptors = len(column_names(spec, elements)) // len(elements) - 1
    first = elements.index(known[0]) * (1 + n_descriptors) + 1
    inside = places[0, 1:] - first
    embedded = {}
    for element, found in sets.items():
        rows = np.zeros((found.rank, n_descriptors))
        rows[:, inside] = found.rows
        embedded[element] = select_active_set(rows, relative_cutoff=spec.active_set_cutoff)
    return embedded


def merge_environments(
    first: "Mapping[str, ActiveSet]", second: "Mapping[str, ActiveSet]", relative_cutoff: float
) -> "dict[str, ActiveSet]":
    """Return the active sets of two fits together."""
    environments = Environments(first, relative_cutoff)
    for element, found in second.items():
        environments.add([element] * found.rank, found.rows)
    return environments.active_sets()
