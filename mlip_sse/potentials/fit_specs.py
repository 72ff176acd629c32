"""What the recipes of all fitted families share: elements, domain, where the data come from and how they are split."""

from typing import Literal

from pydantic import Field

from mlip_sse.potentials.specs import Domain, Element
from mlip_sse.potentials.training_data.specs import TrainingDataSpec
from mlip_sse.specs import EntrySpec, Spec

__all__ = ["FittedSpec", "SplitSpec"]

_DATA_EXAMPLE = {
    "reference": {"kind": "chgnet"},
    "structures": [{"name": "ordered", "crystal": "li6ps5cl", "md": [{"temperature_k": 600.0, "n_frames": 60}]}],
}


class SplitSpec(Spec):
    """How labelled frames become training, validation and test sets."""

    by: Literal["group", "time"] = Field(
        "group", description="group: whole trajectories; time: the end of each trajectory is held out"
    )
    validation: float = Field(0.1, ge=0, lt=1, description="share that chooses settings and calibrates the uncertainty")
    test: float = Field(0.1, ge=0, lt=1, description="share that is only ever measured")
    seed: int = Field(0, ge=0, description="of the random order of the trajectories")


class FittedSpec(EntrySpec):
    """What every recipe of a fitted potential holds."""

    elements: tuple[Element, ...] | None = Field(
        None,
        min_length=1,
        description="chemical symbols, in the order of LAMMPS types; left out: those of the data, by atomic number",
        examples=[["Li", "P", "S"]],
    )
    data: TrainingDataSpec | None = Field(
        None,
        description="frames to make where no dataset is given: start structures and what labels them",
        examples=[_DATA_EXAMPLE],
    )
    split: SplitSpec = Field(default_factory=SplitSpec, description="training, validation and test sets")
    domain: Domain = Field(description="where the potential may be used, and where it comes from")
