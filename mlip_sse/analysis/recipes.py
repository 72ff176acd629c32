"""The recipes in `analysis/`: every setting of an analysis, checked before a file is opened."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from mlip_sse.analysis.interphase.recipe import InterphaseRecipe
from mlip_sse.analysis.mechanics.recipe import MechanicsRecipe
from mlip_sse.analysis.mechanism.concerted_recipe import ConcertedRecipe
from mlip_sse.analysis.mechanism.regions_recipe import RegionsRecipe
from mlip_sse.analysis.mechanism.rotation_recipe import RotationRecipe
from mlip_sse.analysis.mechanism.sites_recipe import SitesAndJumpsRecipe
from mlip_sse.analysis.softness.recipe import SoftnessRecipe
from mlip_sse.analysis.structure.recipe import StructureRecipe
from mlip_sse.analysis.trajectory_settings import FindingRecipe, Symbol, TrajectorySettings
from mlip_sse.errors import SpecError
from mlip_sse.specs import Spec, load_spec

__all__ = ["RECIPES", "ArrheniusRecipe", "ClusterSettings", "Recipe", "TransportRecipe", "load_recipe"]


class ClusterSettings(Spec):
    """Cluster Nernst-Einstein for salts in which cations and anions both move."""

    cation: Symbol = Field(description="species of the monatomic cation", examples=["Li"])
    anion: tuple[Symbol, ...] = Field(
        min_length=1, description="species whose atoms make up the anions", examples=[["Cl"]]
    )
    anion_centre: Symbol | None = Field(
        None, description="species whose diffusivity stands for the anion; the first of anion", examples=["P"]
    )
    binding: tuple[Symbol, ...] | None = Field(
        None, min_length=1, description="species of the anion that a cation touches; all of them", examples=[["F"]]
    )
    bond_length: float | None = Field(
        None,
        gt=0,
        lt=10,
        description="Å; anion atoms closer than this are one ion; left out for monatomic anions",
        examples=[2.0],
    )
    cutoff: float = Field(
        gt=0, lt=20, description="longest contact of cation and anion in Å: the first minimum of g(r)", examples=[3.2]
    )
    stride: int = Field(1, ge=1, description="use every n-th frame")

    @property
    def centre(self) -> str:
        """Species whose diffusivity stands for the anion."""
        return self.anion_centre or self.anion[0]


class TransportSettings(TrajectorySettings):
    """What both recipes need to analyse a trajectory."""

    charges: Mapping[Symbol, float] | None = Field(
        None, description="charges in e; oxidation states where left out", examples=[{"Li": 1.0, "S": -2.0}]
    )
    hop_distance: float = Field(
        3.0, gt=0, lt=100, description="distance of neighbouring sites in Å, for verdict and detection limit only"
    )
    n_lags: int = Field(100, ge=10, le=2000, description="log-spaced lags up to half of the trajectory")
    n_bins: int = Field(64, ge=8, le=4096, description="time bins that the errors are made of")
    clusters: ClusterSettings | None = Field(
        None,
        description="cluster analysis of a salt; both ions must be mobile",
        examples=[{"cation": "Li", "anion": ["Cl"], "cutoff": 3.2}],
    )
    wanted_half_width: float = Field(
        0.2, gt=0, lt=10, description="half-width, relative to the value, that the planner plans for at one temperature"
    )
    wanted_factor_300k: float = Field(
        2.0, gt=1, le=100, description="factor to within which the planner wants the value at 300 K"
    )

    @model_validator(mode="after")
    def _cluster_ions_move(self) -> Self:
        if self.clusters is not None:
            for ion in (self.clusters.cation, self.clusters.centre):
                if ion not in self.mobile:
                    raise ValueError(f"clusters need the diffusivity of {ion}, expected it among mobile")
        return self


class TransportRecipe(TransportSettings):
    """Diffusion, conductivity and Haven ratio of each trajectory; Arrhenius where there are several temperatures."""

    recipe: Literal["transport"] = Field(description="the kind of analysis")


class ArrheniusRecipe(TransportSettings):
    """Activation energy and 300 K values from trajectories, from earlier results (.json) or from a table (.csv)."""

    recipe: Literal["arrhenius"] = Field(description="the kind of analysis")
    number_density: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="mobile ions per Å³; turns D(300 K) of a table into a conductivity by Nernst-Einstein",
        examples=[0.0256],
    )
    charge: float = Field(1.0, description="charge of the mobile ion in e, for that conductivity")


Recipe = TransportRecipe | ArrheniusRecipe | FindingRecipe

RECIPES: Mapping[str, type[TrajectorySettings]] = MappingProxyType(
    {
        "transport": TransportRecipe,
        "arrhenius": ArrheniusRecipe,
        "structure": StructureRecipe,
        "sites_and_jumps": SitesAndJumpsRecipe,
        "concerted": ConcertedRecipe,
        "rotation": RotationRecipe,
        "regions": RegionsRecipe,
        "softness": SoftnessRecipe,
        "mechanics": MechanicsRecipe,
        "interphase": InterphaseRecipe,
    }
)


def load_recipe(source: Recipe | str | Path, **options: Any) -> Recipe:
    """Load a recipe and let options overrule it.

    Parameters
    ----------
    source
        A recipe, a name in `analysis/`, or the path of a YAML file.
    **options
        Keys of the recipe; one that is None leaves what the recipe says.

    Raises
    ------
    CatalogueError
        When ``source`` is neither an entry nor a path.
    SpecError
        When the recipe or an option is wrong; the message names it.
    """
    recipe = source if isinstance(source, TrajectorySettings) else load_spec(source, "analysis")
    if not isinstance(recipe, TransportRecipe | ArrheniusRecipe | FindingRecipe):
        raise SpecError(f"{source}: found a {type(recipe).__name__}, expected one of {', '.join(RECIPES)}")
    given = {key: _listed(value) for key, value in options.items() if value is not None}
    if not given:
        return recipe
    return type(recipe).parse({**recipe.model_dump(), **given}, "options")


def _listed(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
