"""The file that says what is searched: components, steps, bounds, objectives, a related source."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from mlip_sse.errors import FormatError, InputError
from mlip_sse.properties.optimize.front import Objective
from mlip_sse.properties.optimize.grid import CompositionGrid
from mlip_sse.properties.optimize.study import Measured, Study
from mlip_sse.properties.table import PropertyTable
from mlip_sse.properties.table_files import read_table
from mlip_sse.specs import Spec, read_yaml

__all__ = ["ObjectiveSpec", "OptimizeSpec", "measured_of", "start_study"]


class ObjectiveSpec(Spec):
    """A property that is wanted."""

    name: str = Field(min_length=1, description="column of the tables", examples=["conductivity_s_cm"])
    direction: str = Field("maximize", description="maximize or minimize")
    unit: str = Field("", description="unit of the column")
    reference: float | None = Field(None, description="the worst value that counts for the hypervolume")
    is_log: bool = Field(False, description="compare log10 of the value")


class OptimizeSpec(Spec):
    """A search over mixtures."""

    components: tuple[str, ...] = Field(min_length=2, description="what is mixed", examples=[["Li2S", "P2S5", "LiCl"]])
    steps: int = Field(20, ge=1, description="fractions are multiples of one over this")
    bounds: Mapping[str, tuple[float, float]] = Field(
        default_factory=dict, description="least and greatest fraction", examples=[{"LiCl": [0.0, 0.5]}]
    )
    objectives: tuple[ObjectiveSpec, ...] = Field(
        min_length=1, description="what is wanted", examples=[[{"name": "conductivity_s_cm", "is_log": True}]]
    )
    source: str | None = Field(None, description="table of a related system, beside this file: same columns")
    strategy: Literal["improvement", "uncertainty", "random"] = Field(
        "improvement", description="how points are chosen"
    )
    seed: int = Field(0, ge=0, description="of all that is drawn")


def start_study(path: str | Path) -> Study:
    """Return the study that a YAML file describes, its source read.

    Raises
    ------
    SpecError, InputError
        When a key, a direction, the grid or the source is wrong.
    """
    path = Path(path)
    spec = OptimizeSpec.parse(read_yaml(path), str(path))
    study = Study(
        grid=CompositionGrid(spec.components, spec.steps, dict(spec.bounds)),
        objectives=tuple(Objective(**each.model_dump()) for each in spec.objectives),
        strategy=spec.strategy,
        seed=spec.seed,
    )
    if spec.source is None:
        return study
    table = read_table(path.parent / spec.source)
    absent = [name for name in spec.components if name not in table.columns]
    if absent:
        raise InputError(
            f"{spec.source}: a source of another grid: found no column {', '.join(absent)}, expected the fractions of "
            f"{', '.join(spec.components)}"
        )
    return study.with_source(spec.components, measured_of(study, table))


def measured_of(study: Study, table: PropertyTable) -> list[Measured]:
    """Return the rows of a table as measurements: a column for each component and each objective.

    Raises
    ------
    FormatError
        When a column is missing.
    """
    wanted = [*study.grid.components, *(each.name for each in study.objectives)]
    for name in wanted:
        if name not in table.columns:
            raise FormatError(f"found the columns {', '.join(table.columns)}, expected {', '.join(wanted)}")
    fractions = [table.numbers(name) for name in study.grid.components]
    values = [table.numbers(each.name) for each in study.objectives]
    return [
        Measured(tuple(float(x[row]) for x in fractions), tuple(float(y[row]) for y in values))
        for row in range(table.n_rows)
    ]
