"""Labelled frames made by a recipe: structures, distortions and short dynamics, labelled by a reference."""

from typing import TYPE_CHECKING, Any

from mlip_sse.potentials.training_data.specs import TrainingDataSpec

if TYPE_CHECKING:
    from mlip_sse.potentials.training_data.making import make_training_data

__all__ = ["TrainingDataSpec", "make_training_data"]


def __getattr__(name: str) -> Any:
    """Import what builds structures only when it is used: every recipe imports the specs."""
    if name == "make_training_data":
        from mlip_sse.potentials.training_data.making import make_training_data

        return make_training_data
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
