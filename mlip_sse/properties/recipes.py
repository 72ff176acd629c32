"""Recipes of property models: table, target, features, models and split in one file, seeds included.

The shipped entries lie in ``analysis/properties/``; ``mlip-sse properties fit NAME --table FILE`` runs one.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from mlip_sse.errors import SpecError
from mlip_sse.specs import EntrySpec, Spec, load_spec

__all__ = [
    "PROPERTY_RECIPES",
    "CellColumns",
    "ColumnSource",
    "ModelSettings",
    "PolymerColumns",
    "PropertyRecipe",
    "SplitSettings",
    "StructureSource",
    "TargetSettings",
    "load_recipe",
]


class ColumnSource(Spec):
    """How a column of a foreign table is called here."""

    name: str = Field(min_length=1, description="name in our table", examples=["conductivity_s_cm"])
    unit: str = Field("", description="unit of the numbers, after factor and offset", examples=["S/cm"])
    factor: float = Field(1.0, description="the numbers are multiplied by this")
    offset: float = Field(0.0, description="and this is added: 273.15 makes K of °C")
    description: str = Field("", description="in words")


class StructureSource(Spec):
    """Where the structures of a foreign table lie."""

    folder: str = Field(description="folder beside the table", examples=["cifs"])
    column: str = Field(description="column whose value, with the suffix, is the name of the file", examples=["ID"])
    suffix: str = Field(".cif", description="suffix of the files")


class TargetSettings(Spec):
    """What is predicted."""

    column: str = Field(min_length=1, description="column of the table", examples=["conductivity_s_cm"])
    unit: str = Field(description="unit that the column must have", examples=["S/cm"])
    transform: Literal["none", "log10"] = Field("none", description="what is learnt: the number, or its log10")
    threshold: float | None = Field(
        None, description="learn whether the number (before the transform) reaches this, instead of it", examples=[1e-4]
    )
    known: str | None = Field(
        None,
        description="column that answers already, in units of what is learnt: the model is held against it",
        examples=["log10_early_diffusivity_cm2_s"],
    )


class PolymerColumns(Spec):
    """Columns of a table of polymer electrolytes, for the features of `mlip_sse.properties.polymers`."""

    unit: str = Field("smiles", description="SMILES of the repeat unit, its ends marked")
    salt: str = Field("salt smiles", description="SMILES of the salt")
    molar_mass: str = Field("mw", description="molar mass of the polymer in g/mol")
    molality: str = Field("molality", description="of the salt, in mol/kg")


class CellColumns(Spec):
    """Columns of a printed unit cell, for the features of `mlip_sse.properties.cells`."""

    lengths: tuple[str, str, str] = Field(("a", "b", "c"), description="a, b and c in Å")
    angles: tuple[str, str, str] = Field(("alpha", "beta", "gamma"), description="α, β and γ in degrees")
    n_formulas: str = Field("Z", description="formulas in the cell")
    space_group: str = Field("space_group", description="number of the space group")
    mobile: str = Field("Li", description="the mobile element")

    @property
    def names(self) -> tuple[str, ...]:
        """The columns."""
        return (*self.lengths, *self.angles, self.n_formulas, self.space_group)


class ModelSettings(Spec):
    """A candidate model."""

    name: str = Field(min_length=1, description="name of a regressor or classifier", examples=["extra_trees"])
    settings: Mapping[str, Any] = Field(default_factory=dict, description="settings of its learner")
    features: tuple[str, ...] | None = Field(
        None, description="blocks of the recipe's features that it sees, beside feature_columns; all where left out"
    )
    logarithm: bool = Field(False, description="the learner sees ln y; what is answered, and its errors, are of y")


class SplitSettings(Spec):
    """How rows are parted; `mlip_sse.properties.splits.SplitPlan` says what the words mean."""

    by: Literal["composition", "family", "family_out", "stratified"] = Field(
        "composition", description="what is grouped"
    )
    n_folds: int = Field(5, ge=2, le=100, description="folds; below 60 rows each material is left out alone")
    n_repeats: int = Field(3, ge=1, le=100, description="folds are drawn anew so many times")
    seed: int = Field(0, ge=0, description="of folds and learners")
    n_bins: int = Field(5, ge=1, le=50, description="quantile bins of a stratified split")
    keep_extremes: bool = Field(False, description="train on the first and the last bin always, and never ask them")
    min_rows: int = Field(5, ge=1, description="smaller families are never left out by family_out")


class PropertyRecipe(EntrySpec):
    """A property model, from the table to its evaluation."""

    recipe: Literal["property_model"] = Field(description="the kind of recipe")
    target: TargetSettings = Field(
        description="what is predicted",
        examples=[{"column": "conductivity_s_cm", "unit": "S/cm", "transform": "log10"}],
    )
    columns: Mapping[str, ColumnSource | str] = Field(
        default_factory=dict,
        description="columns of a foreign table by the name they have there; a name alone is text",
        examples=[{"Reduced Composition": "composition"}],
    )
    structures: StructureSource | None = Field(
        None, description="structure files of a foreign table", examples=[{"folder": "cifs", "column": "ID"}]
    )
    material: str = Field("composition", description="column that says what a material is: rows of one stay together")
    features: tuple[str, ...] = Field(("magpie",), description="blocks of features by name")
    feature_columns: tuple[str, ...] = Field((), description="columns of numbers that are features as they stand")
    cell: CellColumns | None = Field(
        None,
        description="columns of a printed unit cell: volume per atom, density of the mobile ion, crystal system",
        examples=[{"space_group": "Space group #"}],
    )
    polymers: PolymerColumns | None = Field(
        None, description="columns of polymer electrolytes", examples=[{"unit": "smiles"}]
    )
    temperature: str | None = Field(None, description="column of temperatures in K", examples=["temperature_k"])
    models: tuple[ModelSettings, ...] = Field(
        min_length=1, description="candidates", examples=[[{"name": "extra_trees"}]]
    )
    combine: Literal["choose", "blend", "blend_absolute"] = Field(
        "choose", description="take the best candidate, or weigh all by squared or by absolute errors"
    )
    split: SplitSettings = Field(default_factory=lambda: SplitSettings(), description="how it is evaluated")
    inner_folds: int = Field(5, ge=2, le=20, description="grouped folds inside training: limits, choice, intervals")
    confidence: float = Field(0.9, gt=0, lt=1, description="of the intervals")
    n_nulls: int = Field(
        19, ge=0, le=1000, description="refits to permuted targets; p is at least 1/(1 + that), 0.05 for 19"
    )
    learning_curve: bool = Field(False, description="fit to shares of the materials too")

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        given = (self.features, self.feature_columns, self.cell, self.polymers)
        if not (any(given) or _eats_fractions(self.models)):
            raise ValueError("nothing to learn from, expected features, feature_columns, cell or polymers")
        unknown = [block for each in self.models for block in each.features or () if block not in self.features]
        if unknown:
            raise ValueError(f"a model names the features {unknown[0]!r}, expected one of {', '.join(self.features)}")
        if self.target.threshold is not None and (len(self.models) > 1 or self.combine != "choose"):
            raise ValueError("a threshold goes with one model alone, expected no further candidate")
        if self.target.known is not None and self.target.threshold is not None:
            raise ValueError("known goes with numbers that are learnt, expected no threshold beside it")
        if self.target.transform == "log10" and self.target.threshold is not None and self.target.threshold <= 0:
            raise ValueError("a threshold of a log10 target is a number before the transform, expected it positive")
        return self


def load_recipe(source: str | Path) -> PropertyRecipe:
    """Load a recipe by its name in ``analysis/properties/`` or by its path.

    Raises
    ------
    CatalogueError, SpecError
        When there is none, or it is wrong; the message names the key.
    """
    found = load_spec(source, "properties")
    if not isinstance(found, PropertyRecipe):
        raise SpecError(f"{source}: found a {type(found).__name__}, expected a property model")
    return found


def _eats_fractions(models: tuple[ModelSettings, ...]) -> bool:
    from mlip_sse.properties.contract import CLASSIFIERS, MODELS

    known = {**CLASSIFIERS, **MODELS}
    return all(each.name in known and known[each.name].eats == "fractions" for each in models)


PROPERTY_RECIPES: Mapping[str, type[PropertyRecipe]] = MappingProxyType({"property_model": PropertyRecipe})
"""The recipes by their ``recipe``."""
