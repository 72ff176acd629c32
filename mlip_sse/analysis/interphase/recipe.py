"""Recipe `interphase`: what happens at an interface in time, and how its growth depends on temperature."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from mlip_sse.analysis.trajectory_settings import FindingRecipe, Symbol
from mlip_sse.specs import Spec

if TYPE_CHECKING:
    from mlip_sse.analysis.findings import Finding
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["InterphaseRecipe", "UnitSettings"]


class UnitSettings(Spec):
    """What an intact unit of the electrolyte is."""

    centre: Symbol = Field("P", description="species in the middle of the unit", examples=["Ge"])
    ligand: Symbol = Field("S", description="species bound to it", examples=["O"])
    count: int = Field(4, ge=1, le=12, description="ligands of an intact unit")
    bond_length: float | None = Field(
        None, gt=0, lt=10, description="longest bond in Å; 1.25 times the sum of covalent radii", examples=[2.6]
    )


class InterphaseRecipe(FindingRecipe):
    """Species by their surroundings, profiles along c, thickness of the interphase and the law of its growth."""

    recipe: Literal["interphase"] = Field(description="the kind of recipe")
    units: tuple[UnitSettings, ...] = Field(
        (UnitSettings(centre="P", ligand="S", count=4),),
        min_length=1,
        description="what is intact: centre, ligand and their number, one entry for each centre",
    )
    look_ps: float = Field(0.5, gt=0, le=1000, description="time from one look at the structure to the next, in ps")
    persistence_ps: float = Field(
        2.0, ge=0, le=1000, description="in ps; what is broken, or whole again, for less is a vibration"
    )
    bin_width: float = Field(1.0, gt=0.05, le=20, description="of the profiles in Å, about")
    start_ps: float = Field(0.0, ge=0, description="begin of the growth fit, to leave a first transient out, in ps")
    electrolyte: tuple[float, float] | None = Field(
        None,
        description="fractional coordinates along c between which it lies; found where left out",
        examples=[[0.1, 0.6]],
    )
    electrode: tuple[Symbol, ...] = Field(
        (), description="elements that only the electrode holds, beside metal of the mobile species and S-S bonds"
    )
    unit_density: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="units by Å³ of the intact bulk; that of the first look where left out",
        examples=[0.00417],
    )
    products: Mapping[str, Annotated[float, Field(gt=0)]] | None = Field(
        None,
        min_length=1,
        description="what a phase diagram predicts, formula to amount, as mlip-sse react prints it",
        examples=[{"Li2S": 5, "Li3P": 1, "LiCl": 1}],
    )

    @model_validator(mode="after")
    def _electrolyte_is_a_part(self) -> Self:
        if self.electrolyte is not None and not 0 < self.electrolyte[1] - self.electrolyte[0] < 1:
            raise ValueError(
                "electrolyte: expected low < high, less than 1 apart; [0.7, 1.3] reaches across the border"
            )
        return self

    def measure(self, trajectory: "Trajectory") -> "Finding":
        """Analyse one trajectory."""
        from mlip_sse.analysis.interphase.environments import UnitRule
        from mlip_sse.analysis.interphase.findings import interphase_finding
        from mlip_sse.analysis.interphase.interphase import Interphase

        rules = tuple(UnitRule(unit.centre, unit.ligand, unit.count, unit.bond_length) for unit in self.units)
        settings = Interphase(
            rules=rules,
            mobile=self.mobile,
            look_ps=self.look_ps,
            persistence_ps=self.persistence_ps,
            bin_width=self.bin_width,
            start_ps=self.start_ps,
            electrolyte=self.electrolyte,
            electrode=self.electrode,
            unit_density=self.unit_density,
            products=self.products,
            confidence=self.confidence,
        )
        return interphase_finding(settings.run(trajectory), rules)

    def compare(self, findings: "Sequence[tuple[float, Finding]]") -> "Finding | None":
        """Fit activation energies of both rates of growth."""
        from mlip_sse.analysis.interphase.temperatures import compare_growth

        return compare_growth(findings, self.confidence)
