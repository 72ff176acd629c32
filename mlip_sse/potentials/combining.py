"""Join experts into one potential without their frames, and put it where potentials lie."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlip_sse.dataset import LabelledFrame
from mlip_sse.errors import InputError
from mlip_sse.potentials.calibration import calibrate_bounds
from mlip_sse.potentials.contract import FittedPotential, Potential, load_potential
from mlip_sse.potentials.model_errors import model_errors, predict

__all__ = ["combine"]


def combine(
    potentials: Sequence[Potential], folder: str | Path, *, validation: Sequence[LabelledFrame] = ()
) -> FittedPotential:
    """Combine fitted potentials of one family that can be added, and save the result.

    Parameters
    ----------
    potentials
        Two or more, fitted with the same descriptors and the same kind of labels.
    folder
        Where the combined potential goes.
    validation
        Frames that no expert was trained on; they give the card its errors and calibrated uncertainty, which no sum of
        the experts' cards could.

    Raises
    ------
    InputError
        When there are fewer than two, or their family cannot be combined.
    """
    if len(potentials) < 2:
        raise InputError(f"found {len(potentials)} potential(s), expected two or more to combine")
    kinds = {type(each) for each in potentials}
    kind = next(iter(kinds))
    if len(kinds) > 1 or not hasattr(kind, "combine"):
        families = ", ".join(sorted({each.family for each in potentials}))
        raise InputError(
            f"found potentials of the family {families}, expected all of 'pod', whose fits add up: fit one potential "
            "to the data of all"
        )
    joined: FittedPotential = kind.combine(potentials, name=Path(folder).resolve().name)
    structures = [each for potential in potentials for each in potential.card.data.get("structures", [])]
    changes: dict[str, Any] = {"data": {**joined.card.data, "structures": structures}}
    if validation:
        predictions = predict(joined, validation)
        changes["errors"] = {"validation": model_errors(joined, validation, predictions)}
        changes["uncertainty"] = calibrate_bounds(validation, predictions).to_dict()
    joined.with_card(**changes).save(folder)
    found = load_potential(folder)
    return found if isinstance(found, FittedPotential) else joined
