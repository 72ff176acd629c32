"""A trajectory as a recipe wants it: its species and topology, and the temperature that the call states."""

from dataclasses import replace
from typing import TYPE_CHECKING

from mlip_sse.analysis.trajectory_settings import TrajectorySettings

if TYPE_CHECKING:
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["read_for"]

_SAME_TEMPERATURE = 0.02


def read_for(
    recipe: TrajectorySettings, path: str, temperature_k: float | None, frame_spacing_fs: float | None
) -> "tuple[Trajectory, str | None]":
    """Return a trajectory, and the doubt that it raises where the file states another temperature than the call.

    Parameters
    ----------
    recipe
        For its species and topology.
    path
        The file.
    temperature_k
        Overrules the file's; None takes the file's.
    frame_spacing_fs
        Where the file does not say.
    """
    from mlip_sse.trajectory.reading import read_trajectory

    options = {} if recipe.topology is None else {"topology": recipe.topology}
    trajectory = read_trajectory(path, frame_spacing_fs, species=recipe.species, **options)  # type: ignore[arg-type]
    stated = trajectory.temperature_k
    if temperature_k is None:
        return trajectory, None
    trajectory = replace(trajectory, temperature_k=temperature_k)
    if stated is None or abs(temperature_k - stated) <= _SAME_TEMPERATURE * stated:
        return trajectory, None
    return trajectory, f"the file says {stated:g} K, {temperature_k:g} K was given and is used"
