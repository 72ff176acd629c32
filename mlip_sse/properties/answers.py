"""Predictions as a table: value and interval back in the unit of the property, distance, and what is refused."""

import numpy as np
import numpy.typing as npt

from mlip_sse.errors import InputError
from mlip_sse.properties.contract import Classification
from mlip_sse.properties.fitting import TrainedModel, features_of
from mlip_sse.properties.table import IDENTITY, Column, PropertyTable

__all__ = ["missing_line", "prediction_table"]

_MOST_COUNTS = 5


def prediction_table(
    trained: TrainedModel, asked: PropertyTable, *, confidence: float | None = None, refuses_outside: bool = False
) -> PropertyTable:
    """Return a table of what a model says of some rows.

    Parameters
    ----------
    trained, asked
        The model, and rows with the columns that its recipe names.
    confidence
        Of the intervals; that of the recipe where left out.
    refuses_outside
        Leave the prediction empty where a row is outside of the domain.

    Raises
    ------
    InputError
        When every row is refused.
    """
    features = features_of(trained.recipe, asked)[1]
    found = trained.predict_features(features, asked, confidence)
    target = trained.recipe.target
    kept = {name: asked.columns[name] for name in IDENTITY if name in asked.columns}
    temperature = trained.recipe.temperature
    if temperature is not None:
        kept[temperature] = asked.columns[temperature]
    table = PropertyTable(kept, {name: asked.values[name] for name in kept}, None, asked.provenance)
    if isinstance(found, Classification):
        above = f"probability that {target.column} ≥ {target.threshold:g} {target.unit}"
        columns = [(Column(f"probability_{target.column}", "", description=above), found.probability)]
    else:
        ends = (("", found.value), ("_low", found.low), ("_high", found.high))
        about = f"{found.confidence:.0%} interval"
        columns = [
            (Column(f"{target.column}{mark}", target.unit, description=about), _back(values, target.transform))
            for mark, values in ends
        ]
    if refuses_outside and found.outside.all():
        raise InputError(
            f"all {len(found.outside)} rows are outside of the model's domain (distance {found.distance.min():.1f} and "
            f"more): expected some like the training table, or --outside widen"
        )
    for column, values in columns:
        table = table.with_column(column, np.where(found.outside, np.nan, values) if refuses_outside else values)
    distance = Column("distance", "", description="to the nearest training material; 1 is usual among them")
    table = table.with_column(distance, found.distance)
    table = table.with_column(Column("is_outside", description="1 beyond the domain"), found.outside.astype(float))
    missing = Column("missing_features", description="features that the row lacks; a training median stands for each")
    table = table.with_column(missing, trained.lacking(features).sum(axis=1).astype(float))
    if not isinstance(found, Classification):
        grown = Column("gap_widening", description="by how much the interval is wider for missing features")
        table = table.with_column(grown, trained.widening(features))
    known = trained.known(asked).astype(float)
    return table.with_column(Column("is_in_training", description="1 where the material was trained on"), known)


def missing_line(table: PropertyTable) -> str:
    """Return one line on the rows that lack features, of what `prediction_table` returned; empty where none does."""
    missing = table.numbers("missing_features").astype(int)
    counts, rows = np.unique(missing, return_counts=True)
    lacking = [(int(count), int(n)) for count, n in zip(counts, rows, strict=True) if count]
    if not lacking:
        return ""
    shown = ", ".join(f"{n} of them {count}" for count, n in lacking[:_MOST_COUNTS])
    more = f", {sum(n for _, n in lacking[_MOST_COUNTS:])} more" if len(lacking) > _MOST_COUNTS else ""
    return (
        f"{sum(n for _, n in lacking)} of {table.n_rows} rows lack features: {shown}{more}; training medians stand for "
        f"these, and {_said_of_width(table, missing > 0)}"
    )


def _said_of_width(table: PropertyTable, lacking: npt.NDArray[np.bool_]) -> str:
    if "gap_widening" not in table.columns:
        return "the probabilities are no nearer one half for it"
    grown = table.numbers("gap_widening")[lacking]
    known = grown[np.isfinite(grown)]
    if not len(known):
        return "the intervals are no wider for it: what it costs was not measured in this fit"
    ends = f"{known.min():.2f}" + (f" to {known.max():.2f}" if known.max() - known.min() > 0.005 else "")
    return f"the intervals are {ends} times as wide for it, as unseen materials needed that were asked without them"


def _back(values: np.ndarray, transform: str) -> np.ndarray:
    with np.errstate(over="ignore"):
        return np.power(10.0, values) if transform == "log10" else values
