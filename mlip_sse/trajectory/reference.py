"""What is held at rest while ions are watched: the framework, the centre of mass, or named species."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import InputError

if TYPE_CHECKING:
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["reference_drift"]


def reference_drift(
    trajectory: "Trajectory", reference: str, mobile: Sequence[str] = ()
) -> tuple[str, NDArray[np.float64]]:
    """Return how far a reference has moved since the first frame, and its full name.

    d(t) = Σ_i m_i [r_i(t) - r_i(0)] / Σ_i m_i over the atoms of the reference. Unwrapped positions hold no breathing of
    the cell, so neither does d.

    Parameters
    ----------
    trajectory
        Its own drift, if it has one, plays no part.
    reference
        ``none``; ``framework`` (all atoms but the mobile species); ``barycentric`` (all atoms); ``species:P,S``.
    mobile
        Species that move through the framework; needed by ``framework``.

    Returns
    -------
    label
        ``framework:P,S`` names what the framework consists of; the others are as given.
    drift : (n_frames, 3) Å

    Raises
    ------
    InputError
        For an unknown reference or species, or when no framework is left.
    """
    if isinstance(mobile, str):
        mobile = [mobile]
    if reference == "none":
        return "none", np.zeros((trajectory.n_frames, 3))
    present = list(dict.fromkeys(str(symbol) for symbol in trajectory.species))
    if reference == "barycentric":
        chosen, label = present, "barycentric"
    elif reference == "framework" or reference.startswith("framework:"):
        chosen, label = _framework(trajectory, present, mobile)
        if reference not in ("framework", label):
            raise InputError(
                f"reference {reference!r} names another framework than {label!r}; say reference='framework'"
            )
    elif reference.startswith("species:"):
        chosen = [symbol.strip() for symbol in reference.removeprefix("species:").split(",") if symbol.strip()]
        if not chosen:
            raise InputError("reference 'species:' names no species; say for example species:P,S")
        label = f"species:{','.join(chosen)}"
    else:
        raise InputError(
            f"reference {reference!r} is unknown; expected framework, barycentric, none or species:<symbols>"
        )
    weights = np.zeros(trajectory.n_atoms)
    atoms = trajectory.indices(chosen)
    weights[atoms] = trajectory.masses[atoms] / trajectory.masses[atoms].sum()
    centre = trajectory.weighted_sum(weights)
    if trajectory.drift is not None:
        centre += trajectory.drift
    return label, centre - centre[0]


def _framework(trajectory: "Trajectory", present: list[str], mobile: Sequence[str]) -> tuple[list[str], str]:
    if not mobile:
        raise InputError("reference 'framework' needs the mobile species; pass mobile=, for example mobile='Li'")
    trajectory.indices(list(mobile))
    rest = [symbol for symbol in present if symbol not in mobile]
    if not rest:
        raise InputError(
            f"there is no framework: every atom is of a mobile species ({', '.join(mobile)}); use reference "
            "'barycentric' or 'none'"
        )
    return rest, f"framework:{','.join(rest)}"
