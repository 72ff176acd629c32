"""A search that a laboratory closes: ask for mixtures, measure them, tell the values, ask again; the state is JSON.

What was told, asked and drawn is in the state, nothing else: processes are fitted anew at each ask, so that a state
that was moved, edited or written by another version gives the same points.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mlip_sse.analysis.results import to_plain
from mlip_sse.dataset.whole_files import write_json_whole
from mlip_sse.errors import FormatError, InputError
from mlip_sse.properties.optimize.acquisition import Known, Pool, select_points
from mlip_sse.properties.optimize.front import Objective, hypervolume, oriented, pareto_front, reference_of
from mlip_sse.properties.optimize.grid import CompositionGrid
from mlip_sse.properties.optimize.surrogates import Source

__all__ = ["Front", "Measured", "Study", "read_study", "write_study"]

Floats = npt.NDArray[np.float64]

_FORMAT, _FORMAT_VERSION = "mlip-sse optimisation", 1


@dataclass(frozen=True)
class Measured:
    """A mixture, the value of each objective, and whether it had been asked for."""

    fractions: tuple[float, ...]
    values: tuple[float, ...]
    was_asked: bool = True


@dataclass(frozen=True, eq=False)
class Front:
    """The mixtures that no other measured one beats, and the hypervolume behind them (in learnt units)."""

    rows: npt.NDArray[np.intp]
    hypervolume: float
    reference: Floats


@dataclass(frozen=True)
class Study:
    """A search over a grid.

    Parameters
    ----------
    grid
        The mixtures that can be asked for.
    objectives
        What is wanted of them.
    told
        What was measured, in the order in which it was told.
    asked
        Mixtures that were asked for and are not measured yet.
    source
        Measurements of a related system over the same components.
    strategy, seed
        As of `select_points`; each ask draws anew from the seed and the number of asks.
    n_asks
        How often was asked.
    """

    grid: CompositionGrid
    objectives: tuple[Objective, ...]
    told: tuple[Measured, ...] = ()
    asked: tuple[tuple[float, ...], ...] = ()
    source: tuple[Measured, ...] = ()
    strategy: str = "improvement"
    seed: int = 0
    n_asks: int = field(default=0)

    def __post_init__(self) -> None:
        names = [each.name for each in self.objectives]
        if not names or len(set(names)) < len(names):
            raise InputError(f"found the objectives {', '.join(names) or 'none'}, expected at least one, each once")

    def with_source(self, components: Sequence[str], measured: Sequence[Measured]) -> "Study":
        """Return the study with a related source, such as a simulation or a sister system.

        Steps and bounds of the source's grid may be others: a fraction means the same. Its components may not.

        Raises
        ------
        InputError
            When the source is of another grid, or has not a value for each objective.
        """
        if tuple(components) != self.grid.components:
            raise InputError(
                f"found a source over {', '.join(components)}, expected the components of this grid in their order, "
                f"{', '.join(self.grid.components)}: name each by the component that it stands for"
            )
        checked = tuple(self._checked(each.fractions, each.values, True) for each in measured)
        study = replace(self, source=checked)
        study._source()
        return study

    def ask(self, n: int = 1) -> tuple["Study", tuple[tuple[float, ...], ...]]:
        """Return the study with ``n`` more mixtures asked for, and these, best first.

        Mixtures that were measured or asked for already are not asked for again.

        Raises
        ------
        InputError
            When all mixtures of the grid were measured or asked for, or ``n`` is not positive.
        """
        if n < 1:
            raise InputError(f"found {n} mixtures to ask for, expected at least 1")
        busy = {place for each in self.told if (place := self.grid.place(each.fractions)) is not None}
        busy |= {place for each in self.asked if (place := self.grid.place(each)) is not None}
        free = np.array([place for place in range(len(self.grid)) if place not in busy], dtype=np.intp)
        if not len(free):
            raise InputError(
                f"all {len(self.grid)} mixtures were measured or asked for, expected a free one: refine it"
            )
        chosen = select_points(
            Pool.of(self.grid.points[free]),
            n,
            strategy=self.strategy,
            known=self.known(),
            source=self._source(),
            seed=self.seed + 7919 * self.n_asks,
        )
        points = tuple(tuple(map(float, self.grid.points[free[place]])) for place in chosen)
        return replace(self, asked=(*self.asked, *points), n_asks=self.n_asks + 1), points

    def tell(self, fractions: Sequence[float], values: Mapping[str, float]) -> tuple["Study", str | None]:
        """Return the study with one measurement more, and a remark where the mixture was not asked for.

        Parameters
        ----------
        fractions
            As weighed; need not be on the grid.
        values
            Of each objective, by name.

        Raises
        ------
        InputError
            When the fractions do not add up to 1, or an objective has no finite value.
        """
        missing = [each.name for each in self.objectives if each.name not in values]
        if missing:
            raise InputError(f"found no value of {', '.join(missing)}, expected one for each objective")
        found = tuple(float(values[each.name]) for each in self.objectives)
        weighed = self.grid.normalised(fractions)
        waiting = [each for each in self.asked if np.abs(np.array(each) - weighed).max() < 0.5 / self.grid.n_steps]
        nearest = min(waiting, key=lambda each: float(np.abs(np.array(each) - weighed).max()), default=None)
        measured = self._checked(fractions, found, nearest is not None)
        asked = tuple(each for each in self.asked if each != nearest)
        remark = None
        if nearest is None:
            where = "on the grid" if self.grid.place(weighed.tolist()) is not None else "between the points of the grid"
            shown = ", ".join(f"{name} {x:.3g}" for name, x in zip(self.grid.components, weighed, strict=True))
            remark = f"the mixture {shown} ({where}) was not asked for; it is used like the others"
        return replace(self, told=(*self.told, measured), asked=asked), remark

    def known(self) -> Known:
        """Return what was measured as arrays, more being better."""
        fractions, values = self._arrays(self.told)
        reference = None
        if len(values):
            reference = reference_of(values, self.objectives)
        pending = np.array(self.asked, dtype=np.float64) if self.asked else None
        return Known(fractions, values, pending, reference)

    def front(self) -> Front:
        """Return which of the measured mixtures are on the front.

        Raises
        ------
        InputError
            When nothing was measured.
        """
        known = self.known()
        if known.reference is None:
            raise InputError("found no measurement, expected at least one: ask, measure, tell")
        rows = pareto_front(known.values)
        return Front(rows, hypervolume(known.values, known.reference), known.reference)

    def _source(self) -> Source | None:
        return Source(*self._arrays(self.source)) if self.source else None

    def _arrays(self, measured: Sequence[Measured]) -> tuple[Floats, Floats]:
        shape = (len(measured), len(self.grid.components))
        fractions = np.array([each.fractions for each in measured], dtype=np.float64).reshape(shape)
        values = np.array([each.values for each in measured], dtype=np.float64)
        return fractions, oriented(values.reshape(len(measured), len(self.objectives)), self.objectives)

    def _checked(self, fractions: Sequence[float], values: Sequence[float], was_asked: bool) -> Measured:
        if len(values) != len(self.objectives):
            raise InputError(f"found {len(values)} values of a mixture, expected one for each of the objectives")
        for objective, value in zip(self.objectives, values, strict=True):
            objective.learnt([value])
        return Measured(tuple(map(float, self.grid.normalised(fractions))), tuple(map(float, values)), was_asked)


def write_study(study: Study, path: str | Path) -> None:
    """Write a study as JSON, whole or not at all."""
    write_json_whole(Path(path), {"format": _FORMAT, "format_version": _FORMAT_VERSION, **to_plain(asdict(study))})


def read_study(path: str | Path) -> Study:
    """Read a study that `write_study` wrote.

    Raises
    ------
    FormatError
        When it is none, or of another version.
    """
    path = Path(path)
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise FormatError(f"{path}: not JSON ({str(error)[:60]}), expected a study") from error
    if not isinstance(plain, dict) or plain.pop("format", None) != _FORMAT:
        raise FormatError(f"{path}: no study in it, expected one that 'mlip-sse properties optimize' wrote")
    if (version := plain.pop("format_version", None)) != _FORMAT_VERSION:
        raise FormatError(f"{path}: found format version {version!r}, expected {_FORMAT_VERSION}")
    try:
        return _study_of(plain)
    except (KeyError, TypeError, AttributeError) as error:
        raise FormatError(f"{path}: {type(error).__name__}: {error}: not a whole study") from error


def _study_of(plain: dict[str, Any]) -> Study:
    grid = plain["grid"]
    bounds = {name: (float(low), float(high)) for name, (low, high) in grid["bounds"].items()}
    return Study(
        grid=CompositionGrid(tuple(grid["components"]), int(grid["n_steps"]), bounds),
        objectives=tuple(Objective(**each) for each in plain["objectives"]),
        told=_measured(plain["told"]),
        asked=tuple(tuple(map(float, each)) for each in plain["asked"]),
        source=_measured(plain["source"]),
        strategy=str(plain["strategy"]),
        seed=int(plain["seed"]),
        n_asks=int(plain["n_asks"]),
    )


def _measured(plain: Sequence[Mapping[str, Any]]) -> tuple[Measured, ...]:
    return tuple(
        Measured(tuple(map(float, each["fractions"])), tuple(map(float, each["values"])), bool(each["was_asked"]))
        for each in plain
    )
