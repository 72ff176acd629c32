"""What the recipes of NequIP and Allegro share: cutoff, core, committee and how the network is trained."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from mlip_sse.potentials.fit_specs import FittedSpec
from mlip_sse.specs import Spec

__all__ = ["CoreSpec", "EquivariantSpec", "LossWeights", "TrainingSpec"]


class LossWeights(Spec):
    """What an error of each kind weighs in the loss."""

    force: float = Field(1.0, gt=0, description="of the length of a force's error in eV/Å")
    energy: float = Field(1.0, ge=0, description="of an energy in eV/atom; 0 leaves the energy out")
    stress: float = Field(10.0, ge=0, description="of a stress component in eV/Å³; 0 leaves the stress out")


class CoreSpec(Spec):
    """A repulsion at short range that does not depend on the data."""

    style: Literal["zbl", "none"] = Field("zbl", description="zbl: universal screened nuclear repulsion; none: no core")
    inner: float = Field(1.0, gt=0, description="in Å: where the switch to zero begins")
    outer: float = Field(2.0, gt=0, description="in Å: where the repulsion is zero, best below the shortest bonds")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.inner < self.outer:
            raise ValueError(f"found inner {self.inner:g} and outer {self.outer:g} Å, expected inner < outer")
        return self


class TrainingSpec(Spec):
    """How a network is trained."""

    epochs: int = Field(300, ge=1, le=100_000, description="passes over the training frames; the schedule ends there")
    batch_size: int = Field(5, ge=1, le=1024, description="frames a step")
    learning_rate: float = Field(
        0.01, gt=0, le=1, description="highest of a schedule that rises over `warmup`, then falls as a cosine to zero"
    )
    warmup: float = Field(0.05, gt=0, lt=0.9, description="share of the steps over which the learning rate rises")
    gradient_clip: float | None = Field(
        None, gt=0, description="longest gradient that is not shortened; left out: any", examples=[10.0]
    )
    average: float = Field(
        0.99, ge=0, lt=1, description="decay a step of the moving average (EMA) of the weights, which is what is kept"
    )
    patience: int = Field(
        100, ge=1, description="epochs without a better force error on the validation frames before training stops"
    )
    weights: LossWeights = Field(default_factory=LossWeights, description="of energy, force and stress in the loss")
    compile: bool = Field(
        False, description="compile the training step (needs a C++ compiler): a minute first, then about twice as fast"
    )
    threads: int = Field(1, ge=1, le=256, description="torch threads; more than one rarely pays on small cells")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: a CUDA device where there is one")


class EquivariantSpec(FittedSpec):
    """What a recipe of an equivariant network holds, whatever its family."""

    cutoff: float = Field(5.0, ge=2, le=12, description="in Å: how far an atom sees its neighbours")
    n_bessels: int = Field(8, ge=1, le=64, description="number of radial functions")
    cutoff_power: int = Field(6, ge=2, le=48, description="power of the polynomial that ends the radial functions")
    core: CoreSpec = Field(default_factory=CoreSpec, description="repulsion at short range, part of the energy")
    precision: Literal["float32", "float64"] = Field("float32", description="of the network's numbers")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="of the first network; those of a committee count up from it")
    committee: int = Field(
        1, ge=1, le=16, description="networks of different seeds; the first one answers, the spread of all is its error"
    )
    training: TrainingSpec = Field(default_factory=TrainingSpec, description="how the networks are trained")

    @field_validator("elements")
    @classmethod
    def _distinct(cls, elements: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if elements is not None and len(set(elements)) != len(elements):
            raise ValueError(f"found one twice in {', '.join(elements)}, expected each element once")
        return elements

    @model_validator(mode="after")
    def _core_within_the_cutoff(self) -> Self:
        if self.core.style != "none" and self.core.outer > self.cutoff:
            raise ValueError(f"core: found outer {self.core.outer:g} Å, expected at most the cutoff {self.cutoff:g} Å")
        return self

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seed of each network."""
        return tuple(range(self.seed, self.seed + self.committee))
