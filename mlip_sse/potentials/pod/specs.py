"""The recipe of a POD potential: descriptors, weights of the rows, regularisation, committee and short-range core."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from mlip_sse.potentials.fit_specs import FittedSpec
from mlip_sse.specs import Spec

__all__ = ["CoreSpec", "ManyBodySpec", "PodSpec", "RowWeights"]

_HIGHEST_THREE_BODY_ANGULAR = 12
_HIGHEST_FOUR_BODY_ANGULAR = 6
_BESSEL_PARAMETERS = 3

Penalty = Annotated[float, Field(ge=1e-14, le=1e-1)]


class ManyBodySpec(Spec):
    """How many functions of one body order; none where ``radial`` is 0."""

    radial: int = Field(0, ge=0, le=30, description="number of radial functions")
    angular: int = Field(0, ge=0, le=_HIGHEST_THREE_BODY_ANGULAR, description="highest angular degree")


class RowWeights(Spec):
    """What an error of each kind weighs in the least squares, by the square."""

    energy: float = Field(30.0, ge=0, description="of the energy row in eV/atom; a force row in eV/Å weighs `force`")
    force: float = Field(1.0, gt=0, description="of each force component in eV/Å")
    virial: float = Field(5.0, ge=0, description="of each virial component in eV/atom; 0 leaves the stress out")
    groups: dict[str, Annotated[float, Field(ge=0)]] = Field(
        default_factory=dict, description="factor on all rows of the frames of a group; groups not named: 1"
    )


class CoreSpec(Spec):
    """A repulsion at short range, from `pair_style zbl`, that the fit is made on top of."""

    style: Literal["zbl", "none"] = Field("zbl", description="zbl: universal screened nuclear repulsion; none: no core")
    inner: float = Field(1.5, gt=0, description="in Å: where the switch to zero begins")
    outer: float = Field(3.0, gt=0, description="in Å: where the repulsion is zero")
    prior: float = Field(
        0.2,
        ge=0,
        description="weight of rows that ask pairs pressed together for repulsion; 0: no such rows, no safety",
    )
    pairs: int = Field(6, ge=0, le=100, description="how many pairs of each training frame are pressed together")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.inner < self.outer:
            raise ValueError(f"core: found inner {self.inner:g} and outer {self.outer:g} Å, expected inner < outer")
        return self


class PodSpec(FittedSpec):
    """A linear potential on proper orthogonal descriptors (POD), fitted by ridge regression.

    References
    ----------
    N. C. Nguyen, A. Rohskopf, J. Comput. Phys. 480, 112030 (2023), doi:10.1016/j.jcp.2023.112030
    """

    family: Literal["pod"] = Field(description="the potential family")
    inner_cutoff: float = Field(0.5, ge=0, le=3, description="in Å: where the radial functions begin (LAMMPS: rin)")
    cutoff: float = Field(5.0, gt=0, le=12, description="in Å: where the descriptors end")
    bessel_degree: int = Field(4, ge=1, le=10, description="degree of the Bessel part of the radial functions")
    inverse_degree: int = Field(
        3,
        ge=1,
        le=16,
        description="highest inverse power of the radial functions; beyond 3 they run wild at short range",
    )
    two_body: int = Field(6, ge=1, le=30, description="number of radial functions of the two-body part")
    three_body: ManyBodySpec = Field(ManyBodySpec(radial=5, angular=4), description="three-body part")
    four_body: ManyBodySpec = Field(ManyBodySpec(), description="four-body part")
    five_body: ManyBodySpec = Field(ManyBodySpec(), description="five-body part: products of three-body functions")
    six_body: ManyBodySpec = Field(ManyBodySpec(), description="six-body part: three-body times four-body functions")
    seven_body: ManyBodySpec = Field(ManyBodySpec(), description="seven-body part: products of four-body functions")
    weights: RowWeights = Field(default_factory=RowWeights, description="of energy, force and virial rows")
    regularisation: Penalty | tuple[Penalty, ...] = Field(
        (1e-7, 1e-6, 1e-5),
        description="ridge penalty relative to the squared norm of each column; of a list, validation frames choose; "
        "below 1e-7 forces gain a few percent at most, and MD with four-body functions falls into holes",
    )
    committee: int = Field(4, ge=0, le=64, description="members of the Bayesian bootstrap; 0: no committee")
    active_set_cutoff: float = Field(
        1e-6,
        gt=0,
        lt=0.1,
        description="directions of descriptors with a smaller share of the largest spread do not enter the grade",
    )
    keep_equations: bool = Field(
        True, description="keep the sums, to add frames and combine; without them the potential is small and closed"
    )
    core: CoreSpec = Field(
        default_factory=CoreSpec, description="repulsion at short range that the fit is made on top of"
    )

    @field_validator("elements")
    @classmethod
    def _distinct(cls, elements: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if elements is not None and len(set(elements)) != len(elements):
            raise ValueError(f"found one twice in {', '.join(elements)}, expected each element once")
        return elements

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if not self.cutoff > self.inner_cutoff + 0.5:
            raise ValueError(
                f"cutoff: found {self.cutoff:g} Å and inner_cutoff {self.inner_cutoff:g} Å, expected 0.5 Å between them"
            )
        if self.core.style != "none" and self.core.outer > self.cutoff:
            raise ValueError(f"core: found outer {self.core.outer:g} Å, expected at most the cutoff {self.cutoff:g} Å")
        if isinstance(self.regularisation, tuple) and not self.regularisation:
            raise ValueError("regularisation: found an empty list, expected a number or several")
        _check_bodies(self)
        return self

    @property
    def regularisations(self) -> tuple[float, ...]:
        """The penalties to choose from, ascending."""
        found = self.regularisation
        return tuple(sorted(set(found))) if isinstance(found, tuple) else (found,)

    def basis(self) -> dict[str, Any]:
        """Return what two fits must share for their equations to be added: descriptors, row weights and core."""
        weights = self.weights
        return {
            "inner_cutoff": self.inner_cutoff,
            "cutoff": self.cutoff,
            "bessel_degree": self.bessel_degree,
            "inverse_degree": self.inverse_degree,
            "two_body": self.two_body,
            **{
                name: [body.radial, body.angular]
                for name, body in zip(
                    ("three_body", "four_body", "five_body", "six_body", "seven_body"), _bodies(self), strict=True
                )
            },
            "weights": [weights.energy, weights.force, weights.virial],
            "committee": self.committee,
            "core": self.core.model_dump(
                mode="json", exclude={"inner", "outer"} if self.core.style == "none" else None
            ),
        }


def _bodies(spec: PodSpec) -> tuple[ManyBodySpec, ...]:
    return spec.three_body, spec.four_body, spec.five_body, spec.six_body, spec.seven_body


def _check_bodies(spec: PodSpec) -> None:
    """Refuse what `pair_style pod` refuses, before an hour of work."""
    three, four = spec.three_body, spec.four_body
    available = _BESSEL_PARAMETERS * spec.bessel_degree + spec.inverse_degree
    widest = max(spec.two_body, three.radial)
    if widest > available:
        raise ValueError(
            f"two_body, three_body: found {widest} radial functions, expected at most "
            f"{_BESSEL_PARAMETERS}·bessel_degree + inverse_degree = {available}"
        )
    pairs = (
        ("four_body", four, "three_body", three),
        ("five_body", spec.five_body, "four_body", four),
        ("six_body", spec.six_body, "four_body", four),
        ("seven_body", spec.seven_body, "four_body", four),
    )
    for name, body, below_name, below in pairs:
        for key in ("radial", "angular"):
            if getattr(body, key) > getattr(below, key):
                raise ValueError(
                    f"{name}.{key}: found {getattr(body, key)}, expected at most that of {below_name}, "
                    f"{getattr(below, key)}"
                )
    if four.angular > _HIGHEST_FOUR_BODY_ANGULAR:
        raise ValueError(f"four_body.angular: found {four.angular}, expected at most {_HIGHEST_FOUR_BODY_ANGULAR}")
