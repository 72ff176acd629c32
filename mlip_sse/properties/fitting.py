"""From a recipe and a table to a model that can be asked: features, folds, evaluation, the fit to all rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mlip_sse.analysis.results import to_plain
from mlip_sse.errors import FormatError, InputError
from mlip_sse.properties.cells import CellFeatures
from mlip_sse.properties.classification import PropertyClassifier, classes_of
from mlip_sse.properties.composition import N_ELEMENTS, element_fractions
from mlip_sse.properties.contract import CLASSIFIERS, MODELS, Classification, Prediction, entry_of
from mlip_sse.properties.evaluation import Sample, evaluate, learning_curve
from mlip_sse.properties.fit_report import FitReport
from mlip_sse.properties.gaps import GapCosts, gap_factors, named_gaps
from mlip_sse.properties.known_answers import known_answer
from mlip_sse.properties.matching import material_groups
from mlip_sse.properties.noise import noise_of
from mlip_sse.properties.preparation import UselessFeatures, useless_features
from mlip_sse.properties.recipes import ModelSettings, PropertyRecipe
from mlip_sse.properties.regression import PropertyRegressor
from mlip_sse.properties.selection import SelectedRegressor
from mlip_sse.properties.splits import SplitPlan
from mlip_sse.properties.storage import read_model, write_model
from mlip_sse.properties.table import COMPOSITION, FAMILY, PropertyTable

__all__ = [
    "FitReport",
    "TrainedModel",
    "features_of",
    "fit_property",
    "gaps_of",
    "model_of",
    "read_trained",
    "sample_of",
]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A fitted model with what it needs to read a table.

    Parameters
    ----------
    fitted
        Regressor or classifier.
    recipe
        What it was made by.
    about
        Names of the features, materials of the training table, provenance: plain data.
    """

    fitted: Any
    recipe: PropertyRecipe
    about: Mapping[str, Any]

    def predict(self, table: PropertyTable, confidence: float | None = None) -> Prediction | Classification:
        """Predict the rows of a table, values in what the recipe learns (a log10, where it says so).

        Raises
        ------
        InputError
            When a column that the recipe names is missing, or in another unit.
        """
        return self.predict_features(features_of(self.recipe, table)[1], table, confidence)

    def predict_features(
        self, features: Floats, table: PropertyTable, confidence: float | None = None
    ) -> Prediction | Classification:
        """Predict rows whose features, (n_rows, n_features), are known already; as `predict`."""
        kelvin = None if self.recipe.temperature is None else table.numbers(self.recipe.temperature, "K")
        if self.recipe.target.threshold is not None:
            found: Classification = self.fitted.predict(features, temperature_k=kelvin)
            return found
        wanted = confidence or self.recipe.confidence
        said: Prediction = self.fitted.predict(features, temperature_k=kelvin, confidence=wanted)
        grown = np.nan_to_num(self.widening(features), nan=1.0) * 0.5 * (said.high - said.low)
        return replace(said, low=said.value - grown, high=said.value + grown)

    def lacking(self, features: Floats) -> npt.NDArray[np.bool_]:
        """Return which features each row lacks, (n_rows, n_features), of those that the model looks at."""
        found = ~np.isfinite(features)
        parts = getattr(self.fitted, "parts", (self.fitted,))
        if all(hasattr(part, "preparation") for part in parts):
            looked_at = [part.columns[part.preparation.looked_at] for part in parts]
            found[:, np.setdiff1d(np.arange(features.shape[1]), np.concatenate(looked_at))] = False
        return found

    def widening(self, features: Floats) -> Floats:
        """Return by how much intervals grow for missing features, (n_rows,); nan where that was never measured."""
        return gap_factors(self.lacking(features), self.about.get("gaps", ()))

    def known(self, table: PropertyTable) -> npt.NDArray[np.bool_]:
        """Return which rows' materials are in the training table."""
        trained = set(self.about["materials"])
        return np.array([name in trained for name in _materials(self.recipe, table)])

    def write(self, folder: str | Path) -> list[Path]:
        """Write the model into a folder, without a pickle."""
        about = {**self.about, "recipe": self.recipe.model_dump(mode="json")}
        return write_model(folder, self.fitted, to_plain(about))


def fit_property(
    recipe: PropertyRecipe, table: PropertyTable, say: Callable[[str], None] | None = None
) -> tuple[TrainedModel, FitReport]:
    """Evaluate a recipe on a table, then fit it to all rows.

    Raises
    ------
    InputError
        When the table lacks a column, a unit is another one, or a named feature column says nothing.
    """
    tell = say or (lambda _: None)
    n_given = table.n_rows
    table, sample, names = sample_of(recipe, table)
    useless = useless_features(names, sample.features)
    _refuse_useless(recipe, useless)
    tell(f"{len(sample.y)} rows of {len(set(sample.groups))} materials, {len(names)} features")
    plan = SplitPlan(**recipe.split.model_dump())
    n_features = len(names)
    gaps = GapCosts(sample, plan.kept_together(sample.groups, sample.families), gaps_of(recipe), recipe.confidence)
    found = evaluate(
        lambda repeat: model_of(recipe, n_features, repeat),
        sample,
        plan,
        confidence=recipe.confidence,
        n_nulls=recipe.n_nulls,
        null_model=lambda repeat: model_of(recipe, n_features, repeat, is_null=True),
        on_fold=None if sample.classifies else gaps.collect,
    )
    tell("evaluated")
    curve = None
    if recipe.learning_curve:
        curve = learning_curve(lambda repeat: model_of(recipe, n_features, repeat, is_null=True), sample, plan)
    fitted = _fit_all(model_of(recipe, n_features, 0), sample, plan.kept_together(sample.groups, sample.families))
    about = {
        "feature_names": list(names),
        "materials": sorted(set(sample.groups) | set(_materials(recipe, table))),
        "metrics": found.metrics,
        "gaps": gaps.factors(),
        "provenance": table.provenance,
    }
    column = recipe.target.known
    report = FitReport(
        known=None
        if column is None
        else known_answer(column, table.numbers(column), found.value, sample.y, sample.groups),
        evaluation=found,
        useless=useless,
        noise=noise_of(sample) if column is None else {},  # its rows are runs, not measurements of one number
        curve=curve,
        n_rows=len(sample.y),
        n_limits=0 if sample.signs is None else int(np.count_nonzero(sample.signs)),
        n_materials=len(set(sample.groups)),
        left_out=n_given - table.n_rows,
        sample=sample,
    )
    return TrainedModel(fitted, recipe, to_plain(about)), report


def read_trained(folder: str | Path) -> TrainedModel:
    """Read what `TrainedModel.write` wrote.

    Raises
    ------
    FormatError
        When it is no model, or one of another version.
    """
    fitted, about = read_model(folder)
    if "recipe" not in about or not hasattr(fitted, "predict"):
        raise FormatError(f"{folder}: no model and recipe in it; fit it again with 'mlip-sse properties fit'")
    return TrainedModel(fitted, PropertyRecipe.parse(about["recipe"], str(folder)), about)


def sample_of(recipe: PropertyRecipe, table: PropertyTable) -> tuple[PropertyTable, Sample, tuple[str, ...]]:
    """Return the rows with a target, what is learnt from them, and the names of the features."""
    target = recipe.target
    value = table.numbers(target.column, target.unit)
    signs = table.censored(target.column)
    if target.transform == "log10":
        bad = np.flatnonzero(np.isfinite(value) & (value <= 0))
        if len(bad):
            raise InputError(
                f"row {bad[0]} (counted from 0): {target.column} is {value[bad[0]]:g}, expected positive for a log10; "
                f"a value below a detection limit is '<limit'"
            )
    known = np.isfinite(value)
    y, classifies = value, target.threshold is not None
    if target.threshold is not None:
        y, decided = classes_of(value, signs, target.threshold)
        known &= decided
    if recipe.temperature is not None:
        known &= np.isfinite(table.numbers(recipe.temperature, "K"))
    if known.sum() < 5:
        raise InputError(f"found {known.sum()} rows with {target.column}, expected at least 5 to learn from")
    if not classifies and target.transform == "log10":
        y = np.log10(np.where(known, value, 1.0))
    kept = table.rows(known)
    names, features = features_of(recipe, kept)
    sample = Sample(
        features=features,
        y=y[known],
        groups=_groups(recipe, kept),
        signs=None if classifies or not signs[known].any() else signs[known],
        families=kept.texts(FAMILY) if FAMILY in kept.columns else None,
        temperature_k=None if recipe.temperature is None else kept.numbers(recipe.temperature),
        classifies=classifies,
    )
    return kept, sample, names


def features_of(recipe: PropertyRecipe, table: PropertyTable) -> tuple[tuple[str, ...], Floats]:
    """Return names and values (n_rows, n_features): blocks, columns, cell, polymers; element fractions last."""
    names: list[str] = []
    parts: list[Floats] = []
    if recipe.features:
        from mlip_sse.properties.features import feature_matrix

        found, values = feature_matrix(recipe.features, table.compositions, table.structure_list())
        names += found
        parts.append(values)
    for column in recipe.feature_columns:
        names.append(column)
        parts.append(table.numbers(column)[:, None])
    if recipe.cell is not None:
        columns, cell = recipe.cell, CellFeatures(recipe.cell.mobile)
        names += cell.names
        parts.append(
            cell.featurize(
                table.compositions,
                np.column_stack([table.numbers(column) for column in columns.lengths]),
                np.column_stack([table.numbers(column) for column in columns.angles]),
                table.numbers(columns.n_formulas),
                table.numbers(columns.space_group),
            )
        )
    if recipe.polymers is not None:
        from mlip_sse.properties.polymers import PolymerFeatures

        named, block = recipe.polymers, PolymerFeatures()
        names += block.names
        parts.append(
            block.featurize(
                table.texts(named.unit),
                table.texts(named.salt),
                table.numbers(named.molar_mass),
                table.numbers(named.molality),
            )
        )
    if any(_entry(recipe, each.name).eats == "fractions" for each in recipe.models):
        from ase.data import chemical_symbols

        names += [f"network fraction {symbol}" for symbol in chemical_symbols[1 : N_ELEMENTS + 1]]
        parts.append(element_fractions(table.compositions))
    return tuple(names), np.hstack(parts)


def model_of(recipe: PropertyRecipe, n_features: int, repeat: int, is_null: bool = False) -> Any:
    """Return the model of a recipe for one repeat; a null is the first candidate, without intervals."""
    seed = recipe.split.seed + repeat
    has_fractions = any(_entry(recipe, each.name).eats == "fractions" for each in recipe.models)
    n_plain = n_features - (N_ELEMENTS if has_fractions else 0)
    candidates = []
    for each in recipe.models:
        eats = _entry(recipe, each.name).eats
        columns = tuple(range(n_plain, n_features)) if eats == "fractions" else _columns_of(recipe, each, n_plain)
        if recipe.target.threshold is not None:
            return PropertyClassifier(each.name, each.settings, seed, recipe.inner_folds, columns, not is_null)
        candidates.append(
            PropertyRegressor(each.name, each.settings, seed, recipe.inner_folds, columns, not is_null, each.logarithm)
        )
    if is_null or len(candidates) == 1:
        return candidates[0]
    return SelectedRegressor(tuple(candidates), recipe.combine != "choose", recipe.combine == "blend_absolute")


def _columns_of(recipe: PropertyRecipe, model: ModelSettings, n_plain: int) -> tuple[int, ...]:
    """Return the columns of the blocks that a candidate names, and all that belong to no block."""
    if model.features is None:
        return tuple(range(n_plain))
    from mlip_sse.properties.features import featurizer

    kept: list[int] = []
    start = 0
    for block in recipe.features:
        stop = start + len(featurizer(block).names)
        kept += range(start, stop) if block in model.features else ()
        start = stop
    return (*kept, *range(start, n_plain))


def gaps_of(recipe: PropertyRecipe) -> dict[str, npt.NDArray[np.intp]]:
    """Return the sets of features that rows may lack together: those of structures, and the feature columns."""
    from mlip_sse.properties.features import featurizer

    structure: list[int] = []
    start = 0
    for block in recipe.features:
        made = featurizer(block)
        if np.isnan(made.featurize(["LiCl"], [None])).all():
            structure += range(start, start + len(made.names))
        start += len(made.names)
    n_columns = len(recipe.feature_columns) + (0 if recipe.cell is None else len(CellFeatures().names))
    return named_gaps(structure, range(start, start + n_columns))


def _entry(recipe: PropertyRecipe, name: str) -> Any:
    return entry_of(MODELS if recipe.target.threshold is None else CLASSIFIERS, name)


def _fit_all(model: Any, sample: Sample, kept_together: Sequence[str]) -> Any:
    limits = {} if sample.classifies or sample.signs is None else {"censored": sample.signs}
    groups = np.asarray(kept_together, dtype=object)
    return model.fit(sample.features, sample.y, groups=groups, temperature_k=sample.temperature_k, **limits)


def _groups(recipe: PropertyRecipe, table: PropertyTable) -> Sequence[str]:
    return material_groups(table) if recipe.material == COMPOSITION else table.texts(recipe.material)


def _materials(recipe: PropertyRecipe, table: PropertyTable) -> Sequence[str]:
    return table.materials() if recipe.material == COMPOSITION else table.texts(recipe.material)


def _refuse_useless(recipe: PropertyRecipe, useless: UselessFeatures) -> None:
    named = [name for name in recipe.feature_columns if name in (*useless.missing, *useless.constant)]
    if named:
        what = "is all missing" if named[0] in useless.missing else "has no variance"
        raise InputError(f"feature column {named[0]!r} {what} over the table, expected two values: leave it out")
