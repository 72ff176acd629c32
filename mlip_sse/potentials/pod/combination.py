"""Join experts, or experts and new frames: equations are added among the columns of all elements, and solved once."""

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

from mlip_sse.errors import InputError
from mlip_sse.potentials.pod.accumulate import Environments, accumulate
from mlip_sse.potentials.pod.columns import canonical_order
from mlip_sse.potentials.pod.normal_equations import EquationSums
from mlip_sse.potentials.pod.potential import PodPotential
from mlip_sse.potentials.pod.solution import embed_active_sets, embed_equations, merge_environments, solve_equations
from mlip_sse.potentials.pod.specs import PodSpec

if TYPE_CHECKING:
    from mlip_sse.dataset import LabelledFrame

__all__ = ["combine", "grown"]


def combine(potentials: Sequence[PodPotential], *, name: str | None = None, mixed: Sequence[str] = ()) -> PodPotential:
    """Return the potential that a fit on the frames of all would give, without a frame.

    Parameters
    ----------
    potentials
        Two or more, of the same settings but for their elements, fitted to frames that are all different.
    name
        Of the new one; None: theirs, joined.
    mixed
        Digests of fingerprints that may stand together although the labels were made in different ways.

    Raises
    ------
    InputError
        When the settings or the fingerprints differ, a frame is in two of them, or one has not kept its equations.
    """
    if len(potentials) < 2:
        raise InputError(f"found {len(potentials)} potentials, expected two or more to combine")
    elements = canonical_order([element for potential in potentials for element in potential.elements])
    recipe = _joined_recipe(potentials, elements)
    sums = [embed_equations(potential.equations, recipe, elements) for potential in potentials]
    held = [embed_equations(potential.validation_equations, recipe, elements) for potential in potentials]
    equations = reduce(lambda first, second: first.plus(second, mixed), sums)
    validation = reduce(lambda first, second: first.plus(second, mixed), held)
    sets = [embed_active_sets(each.active_sets, recipe, each.elements, elements) for each in potentials]
    solution = solve_equations(recipe, equations, validation)
    joined = name or "+".join(potential.card.name for potential in potentials)
    active_sets = reduce(lambda one, other: merge_environments(one, other, recipe.active_set_cutoff), sets)
    return PodPotential.from_solution(recipe, joined, solution, active_sets, equations, validation)


def grown(
    potential: PodPotential,
    frames: "Sequence[LabelledFrame]",
    validation: "Sequence[LabelledFrame]",
    mixed: Sequence[str] = (),
) -> PodPotential:
    """Return what a fit on old and new frames would give, reading only the new; see `PodPotential.add_frames`."""
    seen = {symbol for frame in (*frames, *validation) for symbol in frame.symbols}
    elements = canonical_order(seen | set(potential.elements))
    recipe = potential.recipe.model_copy(update={"elements": elements})
    sums = EquationSums(embed_equations(potential.equations, recipe, elements), mixed)
    environments = Environments(
        embed_active_sets(potential.active_sets, recipe, potential.elements, elements), recipe.active_set_cutoff
    )
    accumulate(frames, recipe, elements, sums, environments)
    held_out = EquationSums(embed_equations(potential.validation_equations, recipe, elements), mixed)
    accumulate(validation, recipe, elements, held_out, close_pairs=False)
    equations, held = sums.equations(), held_out.equations()
    solution = solve_equations(recipe, equations, held)
    return potential.from_solution(recipe, potential.card.name, solution, environments.active_sets(), equations, held)


def _joined_recipe(potentials: Sequence[PodPotential], elements: tuple[str, ...]) -> PodSpec:
    """Return the first recipe for all elements, valid where all are."""
    recipes = [potential.recipe for potential in potentials]
    first = recipes[0]
    ranges = {}
    for key in ("temperature_k", "pressure_gpa"):
        low = max(getattr(recipe.domain, key)[0] for recipe in recipes)
        high = min(getattr(recipe.domain, key)[1] for recipe in recipes)
        if low > high:
            raise InputError(f"found no {key} in which all experts may be used, expected domains that overlap")
        ranges[key] = (low, high)
    references = tuple(dict.fromkeys(paper for recipe in recipes for paper in recipe.domain.references))
    licences = "; ".join(dict.fromkeys(recipe.domain.licence for recipe in recipes))
    groups: dict[str, float] = {}
    for recipe in recipes:
        groups |= recipe.weights.groups
    return first.model_copy(
        update={
            "description": "combined: " + "; ".join(recipe.description for recipe in recipes),
            "elements": elements,
            "regularisation": tuple(sorted({value for recipe in recipes for value in recipe.regularisations})),
            "weights": first.weights.model_copy(update={"groups": groups}),
            "domain": first.domain.model_copy(update={**ranges, "references": references, "licence": licences}),
        }
    )
