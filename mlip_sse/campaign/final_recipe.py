"""The recipe of the last fit: what it needs is asked for before anything is labelled, and what came out is judged.

POD explores, as it knows what it does not know and is fitted in seconds; a network that learns from all labels at the
end may give the answer in its place.
"""

import tempfile
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlip_sse.campaign.learning import recipe_of
from mlip_sse.campaign.learning_specs import LearningSpec
from mlip_sse.campaign.specs import CampaignSpec
from mlip_sse.errors import CatalogueError, InputError, RunError

if TYPE_CHECKING:
    from ase import Atoms

    from mlip_sse.potentials import Potential

__all__ = ["doubts", "final_recipe", "require_elements", "require_runnable"]

_LEFT_OUT = "or leave final out"
_TRIAL = """\
units           metal
region          r block 0 1 0 1 0 1
create_box      1 r
pair_style      {style}
"""


def final_recipe(spec: LearningSpec, temperatures_k: tuple[float, float]) -> dict[str, Any] | None:
    """Return the recipe of the last fit as plain data, None where the potential that explored gives the answer.

    Parameters
    ----------
    spec
        The campaign.
    temperatures_k
        The coldest and the hottest, which become the domain.

    Raises
    ------
    CatalogueError, SpecError
        When there is no such recipe, or it is wrong.
    InputError
        When it is of a family that takes no frames.
    """
    name = spec.final if isinstance(spec, CampaignSpec) else None
    if name is None:
        return None
    try:
        return recipe_of(spec.model_copy(update={"potential": name}), temperatures_k)
    except (CatalogueError, InputError) as error:
        raise type(error)(f"final: {str(error).removeprefix('potential: ')}") from error


def require_elements(recipe: Mapping[str, Any], starts: "Sequence[Atoms]") -> None:
    """Refuse a recipe that leaves out elements of the structure.

    Raises
    ------
    InputError
        Naming them.
    """
    there = {symbol for atoms in starts for symbol in atoms.get_chemical_symbols()}
    known = recipe.get("elements") or sorted(there)
    if missing := sorted(there - set(known)):
        raise InputError(
            f"final: found a recipe of {', '.join(known)}, expected one that knows {', '.join(missing)} too: add it to "
            "its elements"
        )


def require_runnable(recipe: Mapping[str, Any]) -> None:
    """Refuse a network where this machine has no nequip, no compiler, or a LAMMPS without the pair style.

    LAMMPS itself is asked for the pair style, so that one of the user's own that knows it will do.

    Parameters
    ----------
    recipe
        Of any family.

    Raises
    ------
    MissingExtraError
        When nequip or LAMMPS is not installed.
    RunError
        When there is no C++ compiler, or LAMMPS does not know the pair style.
    """
    from mlip_sse.potentials.contract import FAMILIES
    from mlip_sse.potentials.equivariant.compiled import require_compiler
    from mlip_sse.potentials.equivariant.potential import EquivariantPotential
    from mlip_sse.potentials.equivariant.runtime import package_versions

    module, name = FAMILIES[str(recipe["family"])].split(":")
    family = getattr(import_module(module), name)
    if issubclass(family, EquivariantPotential):
        package_versions()
        require_compiler("the final network for LAMMPS")
        _require_pair_style(family.architecture.pair_style)


def _require_pair_style(style: str) -> None:
    from mlip_sse.potentials.gates.deck_check import run_program

    with tempfile.TemporaryDirectory(prefix="mlip-sse-") as name:
        folder = Path(name)
        (folder / "in.lammps").write_text(_TRIAL.format(style=style), encoding="utf-8")
        try:
            run_program(folder, "in.lammps")
        except RunError as error:
            raise RunError(
                f"final: found no pair style {style!r} that runs ({error}), expected it in LAMMPS: mlip-sse "
                f"build-plugin, {_LEFT_OUT}"
            ) from error


def doubts(explored: Mapping[str, Any], final: "Potential") -> tuple[str, ...]:
    """Return why the last fit is no better than the potential that explored; nothing where it is.

    Both were measured on the same held-out frames. A network chooses its epoch by them, which flatters it.

    Parameters
    ----------
    explored
        Errors of the last round, as its document holds them.
    final
        The potential of the answer.
    """
    before = float(explored["force_ev_a"]["rmse"])
    after = float(final.card.errors["validation"]["force_ev_a"]["rmse"])
    if after <= before:
        return ()
    return (
        f"the final potential's forces are {1000 * after:.0f} meV/Å off on held-out frames (root mean square), "
        f"those of the one that explored {1000 * before:.0f}: train it longer, {_LEFT_OUT}",
    )
