"""The fits of a campaign: new labels into the equations, errors on frames that never train, bounds calibrated anew.

A fit is a task of the train lane. Its inputs are the recipe, the ids of the frames, and the digest of the potential
that it goes on from; its folder holds the potential. So a fit that was done is never done again.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.engine import Work
from mlip_sse.errors import InputError

if TYPE_CHECKING:
    from mlip_sse.campaign.learning_specs import LearningSpec
    from mlip_sse.dataset import LabelledFrame
    from mlip_sse.potentials.calibration import ForceBounds
    from mlip_sse.potentials.contract import FittedPotential
    from mlip_sse.potentials.model_errors import Prediction

__all__ = ["FITTED_FOLDER", "fit_inputs", "fit_work", "grade_bounds", "recipe_of", "start"]

FITTED_FOLDER = "potential"
"""Inside the task's folder."""

_COMPONENTS_SHOWN = 400
"""Force components of each element that the parity plot gets."""

_TIME_LIMIT_S = 24 * 3600.0


def fit_work(dataset: Path, previous: Path | None, time_limit_s: float = _TIME_LIMIT_S) -> Work:
    """Return how a potential is fitted: from frames in ``dataset``, going on from the potential in ``previous``."""
    settings = {"dataset": str(dataset), "previous": None if previous is None else str(previous)}
    return Work(f"{__name__}:start", settings, time_limit_s, "campaign_fit")


def fit_inputs(
    recipe: Mapping[str, Any],
    train: Sequence[str],
    held_out: Sequence[str],
    new: tuple[Sequence[str], Sequence[str]],
    previous: str | None,
) -> dict[str, Any]:
    """Return what decides a fit.

    Parameters
    ----------
    recipe
        The recipe as plain data.
    train, held_out
        Ids of all frames, those of earlier rounds included.
    new
        Of these the training and held-out frames that the previous potential has not seen.
    previous
        Digest of the potential to go on from; None: a fit to all frames.
    """
    return {
        "recipe": dict(recipe),
        "train": list(train),
        "held_out": list(held_out),
        "new_train": list(new[0]),
        "new_held_out": list(new[1]),
        "previous": previous,
    }


def start(settings: Mapping[str, Any]) -> Callable[[dict[str, Any], Path], dict[str, Any]]:
    """Return the function that does one fit."""
    from mlip_sse.dataset import Dataset
    from mlip_sse.potentials import load_potential
    from mlip_sse.potentials.whole_folder import folder_digest

    dataset = Dataset(settings["dataset"])
    place = settings["previous"]

    def run(inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
        dataset.refresh()
        frames = {key: [dataset.frame(i) for i in inputs[key]] for key in ("train", "held_out")}
        known = {frame.id: frame for group in frames.values() for frame in group}
        new = [[known[i] for i in inputs[key]] for key in ("new_train", "new_held_out")]
        before = None
        if inputs["previous"] is not None:
            if folder_digest(Path(place)) != inputs["previous"]:
                raise InputError(f"{place} is not the potential this fit goes on from: run the campaign again")
            before = load_potential(place)
        result = {} if before is None else _prior(before, *new)
        potential = _fitted(inputs["recipe"], before, frames, new, folder)
        potential, measured = _measured(potential, frames["held_out"])
        potential.save(folder / FITTED_FOLDER)
        result |= measured | {"digest": folder_digest(folder / FITTED_FOLDER)}
        return result

    return run


def _fitted(
    recipe: Mapping[str, Any], before: Any, frames: dict[str, list["LabelledFrame"]], new: Any, folder: Path
) -> "FittedPotential":
    """Fit to everything, or add what is new where the family keeps its equations."""
    from importlib import import_module

    from mlip_sse.potentials.contract import FAMILIES, FittedPotential
    from mlip_sse.specs import spec_kind

    spec = spec_kind("potential").parse(recipe)
    if before is not None and hasattr(before, "add_frames"):
        grown: FittedPotential = before.add_frames(*new)
        return grown
    module, name = FAMILIES[str(recipe["family"])].split(":")
    family: type[FittedPotential] = getattr(import_module(module), name)
    return family.fit(spec, frames["train"], frames["held_out"], folder / "work")


def _prior(before: Any, train: list["LabelledFrame"], held_out: list["LabelledFrame"]) -> dict[str, Any]:
    """Say how the potential that chose the new frames fares on them, and whether its bounds held on the random ones."""
    from mlip_sse.potentials.calibration import ForceBounds
    from mlip_sse.potentials.model_errors import model_errors, predict

    result: dict[str, Any] = {"prior_errors": None, "coverage": None}
    if train:
        result["prior_errors"] = model_errors(before, train, predict(before, train))
    if held_out:
        predictions = predict(before, held_out)
        result["prior_errors_held_out"] = model_errors(before, held_out, predictions)
        if "conformal" in before.card.uncertainty:
            result["coverage"] = ForceBounds.of_card(before.card).coverage_on(held_out, predictions).to_dict()
    return result


def _measured(
    potential: "FittedPotential", held_out: list["LabelledFrame"]
) -> tuple["FittedPotential", dict[str, Any]]:
    """Put errors and bounds from the held-out frames into the card."""
    from mlip_sse.potentials.calibration import calibrate_bounds
    from mlip_sse.potentials.model_errors import model_errors, predict

    predictions = predict(potential, held_out)
    errors = model_errors(potential, held_out, predictions)
    bounds = calibrate_bounds(held_out, predictions)
    uncertainty = bounds.to_dict()
    if (by_grade := grade_bounds(held_out, predictions)) is not None:
        uncertainty["grade_bounds"] = by_grade.to_dict()
    potential = potential.with_card(
        errors={"validation": errors}, uncertainty=uncertainty, data={**potential.card.data, "held_out": len(held_out)}
    )
    return potential, {"errors": errors, "parity": _parity(held_out, predictions), "n_held_out": len(held_out)}


def grade_bounds(frames: Sequence["LabelledFrame"], predictions: Sequence["Prediction"]) -> "ForceBounds | None":
    """Calibrate a bound that needs the extrapolation grade alone, as a run can look at it; None without a grade."""
    from dataclasses import replace

    from mlip_sse.potentials.calibration import calibrate_bounds, grade_indicators

    name = "extrapolation_grade"
    if any(name not in prediction.indicators for prediction in predictions):
        return None
    alone = [replace(each, indicators=grade_indicators(each.indicators[name])) for each in predictions]
    return calibrate_bounds(frames, alone)


def _parity(
    frames: Sequence["LabelledFrame"], predictions: Sequence["Prediction"]
) -> dict[str, dict[str, list[float]]]:
    """Return force components of the reference and of the potential by element, evenly thinned."""
    symbols = np.concatenate([frame.symbols for frame in frames])
    pairs: tuple[NDArray[np.float64], NDArray[np.float64]] = (
        np.concatenate([frame.forces for frame in frames]),
        np.concatenate([prediction.forces for prediction in predictions]),
    )
    shown = {}
    for element in sorted(set(symbols.tolist())):
        reference, predicted = (forces[symbols == element].ravel() for forces in pairs)
        step = max(1, -(-len(reference) // _COMPONENTS_SHOWN))
        shown[element] = {
            "reference": np.round(reference[::step], 4).tolist(),
            "predicted": np.round(predicted[::step], 4).tolist(),
        }
    return shown


def recipe_of(spec: "LearningSpec", temperatures_k: tuple[float, float]) -> dict[str, Any]:
    """Return the recipe of a campaign as plain data, its domain as wide as the campaign goes.

    Parameters
    ----------
    spec
        The campaign.
    temperatures_k
        The coldest and the hottest.

    Raises
    ------
    InputError
        When the recipe is of a family that takes no frames.
    """
    from mlip_sse.catalogue import resolve
    from mlip_sse.potentials.fit_specs import FittedSpec
    from mlip_sse.specs import load_spec

    recipe = load_spec(resolve("potentials", spec.potential), "potential")
    if not isinstance(recipe, FittedSpec):
        raise InputError(
            f"potential: found {spec.potential!r}, which has nothing to fit, expected a recipe such as pod"
        )
    domain = recipe.domain.model_copy(update={"temperature_k": temperatures_k})
    plain = recipe.model_copy(update={"domain": domain, "data": None}).model_dump(mode="json", exclude_none=True)
    return plain
