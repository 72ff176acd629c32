"""Spec of elastic constants by stress over strain."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mlip_sse.md_protocols.static_specs import EquationOfStateSpec, StaticSpec

__all__ = ["ElasticSpec"]


class ElasticSpec(StaticSpec):
    """Elastic constants from the stresses of strained cells, ions relaxed, held against an equation of state."""

    protocol: Literal["elastic"] = Field(description="the kind of protocol")
    strain_sizes: tuple[Annotated[float, Field(gt=0, le=0.1)], ...] = Field(
        (0.01, 0.02),
        min_length=2,
        max_length=8,
        description="sizes of the strains, each with both signs; 0.01 and 0.02 survive an energy surface with kinks, "
        "0.0025 and 0.005 are nearer to the limit of small strains on a smooth one",
    )
    modes: Literal["distinct", "all"] = Field(
        "distinct", description="which of the six strains: as many as the symmetry needs, or all"
    )
    cell: Literal["relaxed", "given"] = Field(
        "relaxed", description="the cell that is strained: relaxed first, or as given, which must be free of stress"
    )
    residual_stress_gpa: float = Field(
        0.1, gt=0, le=10, description="stress of the unstrained cell above which the answer is refused, in GPa"
    )
    symmetry_tolerance_a: float = Field(
        0.01, gt=0, le=0.5, description="distance within which positions count as equal, in Å"
    )
    fmax: float = Field(0.001, gt=0, le=1, description="largest force on an atom that is left, in eV/Å")
    volume_strain: float = Field(
        0.06, gt=0.005, le=0.3, description="largest relative change of the volume in the equation of state"
    )
    n_volumes: int = Field(9, ge=7, le=51, description="how many volumes the equation of state has")

    @model_validator(mode="after")
    def _distinct_sizes(self) -> Self:
        if len(set(self.strain_sizes)) != len(self.strain_sizes):
            raise ValueError("strain_sizes: found a size twice, expected each once")
        return self

    def equation_of_state(self) -> EquationOfStateSpec:
        """Return the spec of the equation of state through the cell that is strained."""
        return EquationOfStateSpec(
            description="check of the bulk modulus",
            protocol="equation_of_state",
            structure=self.structure,
            potential=self.potential,
            optimizer=self.optimizer,
            fmax=self.fmax,
            stress_tolerance_gpa=self.stress_tolerance_gpa,
            max_steps=self.max_steps,
            volume_strain=self.volume_strain,
            n_volumes=self.n_volumes,
            centre="given",
            relax="positions",
        )
