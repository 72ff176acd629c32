"""The file that describes a screen: a family, what may sit where, the stages in order, what is kept."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from mlip_sse.properties.screen.enumeration import enumerate_family
from mlip_sse.properties.screen.families import Ion, family_of
from mlip_sse.properties.screen.funnel import Funnel, run_funnel
from mlip_sse.properties.screen.stages import (
    Charge,
    Electronegativity,
    Elements,
    EnergyAboveHull,
    ModelLimit,
    Stage,
    Tolerance,
)
from mlip_sse.specs import Spec, read_yaml

__all__ = ["ScreenSpec", "load_screen", "run_screen"]


class ChargeStage(Spec):
    """Neutral with an amount of the mobile ion that the sites hold."""

    filter: Literal["charge"]


class ElementsStage(Spec):
    """Without some elements and with others."""

    filter: Literal["elements"]
    excluded: tuple[str, ...] = Field((), description="none of these")
    required: tuple[str, ...] = Field((), description="all of these")


class ToleranceStage(Spec):
    """A tolerance factor within a window."""

    filter: Literal["tolerance"]
    low: float = Field(description="least tolerance factor")
    high: float = Field(description="greatest tolerance factor")


class ElectronegativityStage(Spec):
    """Anions more electronegative than cations."""

    filter: Literal["electronegativity"]
    margin: float = Field(0.0, ge=0, description="by so much, on Pauling's scale")


class HullStage(Spec):
    """An entry near the hull."""

    filter: Literal["energy_above_hull"]
    entries: str = Field(description="JSON of entries, or folder of vasprun.xml, beside the spec")
    most_ev_atom: float = Field(0.05, ge=0, description="limit in eV/atom")
    without_entry: Literal["fail", "pass"] = Field("fail", description="what becomes of candidates without an entry")


class ModelStage(Spec):
    """A property model's prediction within limits."""

    filter: Literal["model"]
    model: str = Field(description="folder of the model, beside the spec")
    name: str = Field("model", description="what the funnel calls the stage")
    low: float | None = Field(None, description="least value, in what the model learns")
    high: float | None = Field(None, description="greatest value")
    judged_by: Literal["value", "surely", "possibly"] = Field("value", description="the value, or its interval")
    allows_outside: bool = Field(True, description="whether candidates outside of the domain may pass")
    with_structures: bool = Field(False, description="build structures, for features that need them")
    temperature_k: float | None = Field(None, gt=0, description="for models of σ(T)")


StageSpec = Annotated[
    ChargeStage | ElementsStage | ToleranceStage | ElectronegativityStage | HullStage | ModelStage,
    Field(discriminator="filter"),
]


class ScreenSpec(Spec):
    """A screen."""

    family: str = Field(description="garnet, argyrodite or antiperovskite", examples=["garnet"])
    sites: Mapping[str, tuple[str, ...]] = Field(
        default_factory=dict, description="ions of some sites", examples=[{"A": ["La3+", "Y3+"]}]
    )
    steps: int = Field(1, ge=1, le=24, description="shared sites are filled in steps of one over this")
    most_ions: int = Field(1, ge=1, le=3, description="ions that may share a site")
    stages: tuple[StageSpec, ...] = Field(
        min_length=1, description="filters and models", examples=[[{"filter": "charge"}]]
    )
    rank_by: str | None = Field(None, description="number by which those that passed are ranked, largest first")
    keep: int = Field(20, ge=1, description="how many are written with structures")
    campaign: dict[str, Any] | None = Field(None, description="campaign that is written for each of them")


def load_screen(path: str | Path) -> ScreenSpec:
    """Load a screen from a YAML file; paths in it are beside it.

    Raises
    ------
    SpecError
        When a key is unknown or a value impossible.
    """
    return ScreenSpec.parse(read_yaml(path), str(path))


def run_screen(spec: ScreenSpec, folder: str | Path = ".") -> tuple[Funnel, tuple[int, ...]]:
    """Return the funnel of a screen and the candidates that are kept, best first.

    Parameters
    ----------
    spec
        The screen.
    folder
        Where its paths begin.
    """
    family = family_of(spec.family)
    ions = {site: [Ion.parse(text) for text in texts] for site, texts in spec.sites.items()}
    stages = [_stage(each, Path(folder)) for each in spec.stages]
    funnel = run_funnel(enumerate_family(family, ions, spec.steps, spec.most_ions), stages)
    return funnel, funnel.ranked(spec.rank_by)[: spec.keep]


def _stage(spec: Any, folder: Path) -> Stage:
    given = spec.model_dump(exclude={"filter"})
    match spec:
        case ChargeStage():
            return Charge()
        case ElementsStage():
            return Elements(**given)
        case ToleranceStage():
            return Tolerance(**given)
        case ElectronegativityStage():
            return Electronegativity(**given)
        case HullStage():
            return EnergyAboveHull(**{**given, "entries": str(folder / spec.entries)})
    limits = {name: value for name, value in given.items() if name not in ("low", "high") or value is not None}
    return ModelLimit(**{**limits, "model": folder / spec.model})
