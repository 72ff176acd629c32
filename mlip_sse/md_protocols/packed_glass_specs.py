"""Which units a glass is packed from."""

from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from mlip_sse.specs import Spec

if TYPE_CHECKING:
    from mlip_sse.structures.glasses import GlassUnits

__all__ = ["PackedGlassSpec"]

_UNITS = "PS4, P2S7, P2S6 (with a P-P bond), 'P2S6 edge-sharing', S"


class PackedGlassSpec(Spec):
    """Whole units, packed at random: by composition, by shares of the phosphorus, or by their numbers."""

    li2s_percent: float | None = Field(
        None, ge=50, lt=100, description="x of x Li2S (100-x) P2S5 in mol-%", examples=[75.0]
    )
    phosphorus_shares: dict[str, Annotated[float, Field(gt=0, le=1)]] | None = Field(
        None, min_length=1, description=f"share of the phosphorus in each of {_UNITS}", examples=[{"PS4": 1.0}]
    )
    units: dict[str, Annotated[int, Field(ge=1, le=10_000)]] | None = Field(
        None,
        min_length=2,
        description=f"how many of each of {_UNITS}, Li or Na; neutral together",
        examples=[{"PS4": 25, "Li": 75}],
    )
    n_atoms: int = Field(200, ge=8, le=20_000, description="about how many atoms, for the first two")

    @model_validator(mode="after")
    def _one_of_three(self) -> Self:
        found = [key for key in ("li2s_percent", "phosphorus_shares", "units") if getattr(self, key) is not None]
        if len(found) != 1:
            raise ValueError(
                f"found {' and '.join(found) or 'none'} of li2s_percent, phosphorus_shares and units, expected one"
            )
        return self

    def glass_units(self) -> "GlassUnits":
        """Return how many of each unit.

        Raises
        ------
        InputError
            When whole numbers do not meet the composition, or a unit is not known.
        """
        from mlip_sse.structures.glasses import GlassUnits, unit_counts, units_from_shares

        if self.units is not None:
            return GlassUnits.of(self.units)
        if self.phosphorus_shares is not None:
            return units_from_shares(self.phosphorus_shares, self.n_atoms)
        return unit_counts(self.li2s_percent or 0.0, self.n_atoms)
