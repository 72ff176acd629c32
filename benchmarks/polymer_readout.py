"""Readouts of Arrhenius against models without, on conductivities of polymer electrolytes over temperature.

``python benchmarks/polymer_readout.py --out parts`` asks each model for polymers that it has not seen (three folds of
whole polymers, drawn ``--repeats`` times), fitted to all temperatures, and again fitted to 30-80 °C and asked outside
of them. Each fit is kept in the folder ``parts`` and not made again (``--only NAME`` makes those of one model); the
tables are made of what is there. Errors are |log₁₀ σ − log₁₀ σ measured|, a row's being the mean over the repeats, and
are averaged over rows and, since a third of the rows are of one polymer, over polymers. Intervals resample polymers.
``--nulls N`` refits one cheap model, extra trees of 20 trees, to targets that were dealt to other polymers.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import numpy.typing as npt

from benchmarks.tables import aligned
from mlip_sse.properties.fitting import sample_of
from mlip_sse.properties.recipes import load_recipe
from mlip_sse.properties.regression import PropertyRegressor
from mlip_sse.properties.sources import read_for
from mlip_sse.properties.splits import group_numbers, grouped_folds

__all__ = ["MODELS", "Rows", "main"]

Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]

_DATA = Path(__file__).resolve().parents[2] / "shared/data/spe_conductivity/train.csv"
_TREES: dict[str, Any] = {"n_trees": 60, "max_features": 0.35, "min_leaf": 2}
_MEDIAN = {**_TREES, "takes_median": True}
_BOOSTED: dict[str, Any] = {"n_trees": 200, "depth": 5}
_NETWORK: dict[str, Any] = {"n_epochs": 25, "batch": 256, "n_members": 3}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "median of training": ("constant", {}),
    "trees": ("extra_trees", _TREES),
    "trees, readout": ("arrhenius_trees", _TREES),
    "trees, readout in 1/(T − 190 K)": ("arrhenius_trees", {**_TREES, "shift_k": 190.0}),
    "median of trees": ("extra_trees", _MEDIAN),
    "median of trees, readout beyond": ("arrhenius_beyond", {"base": "extra_trees", "base_settings": _MEDIAN}),
    "LightGBM": ("lightgbm", _BOOSTED),
    "LightGBM, readout beyond": ("arrhenius_beyond", {"base": "lightgbm", "base_settings": _BOOSTED}),
    "network": ("network", _NETWORK),
    "network, readout": ("arrhenius_network", _NETWORK),
    "network, readout beyond": ("arrhenius_beyond", {"base": "network", "base_settings": _NETWORK}),
}
"""Title, name in the registry and settings of each model."""

PAIRS = (
    ("trees, readout", "trees"),
    ("trees, readout in 1/(T − 190 K)", "trees, readout"),
    ("median of trees", "trees"),
    ("median of trees, readout beyond", "median of trees"),
    ("median of trees, readout beyond", "LightGBM"),
    ("LightGBM, readout beyond", "LightGBM"),
    ("network, readout", "network"),
    ("network, readout", "median of trees"),
    ("network, readout beyond", "network"),
    ("network, readout beyond", "median of trees"),
    ("network, readout beyond", "LightGBM"),
)
_WINDOWS = {"unseen": "unseen polymers", "outside": "and outside the temperatures"}
_INSIDE_K = (303.15, 353.15)
_N_FOLDS, _N_DRAWS = 3, 2000
_CHEAP: dict[str, Any] = {**_TREES, "n_trees": 20}


@dataclass(frozen=True, eq=False)
class Rows:
    """Features (n_rows, n_features), targets, temperatures in K and polymers by number, each (n_rows,)."""

    features: Floats
    y: Floats
    kelvin: Floats
    polymers: Index

    @classmethod
    def read(cls, path: Path) -> "Rows":
        """Read the table as the recipe ``polymer_arrhenius`` does."""
        recipe = load_recipe("polymer_arrhenius")
        sample = sample_of(recipe, read_for(recipe, path))[1]
        kelvin = np.asarray(sample.temperature_k, dtype=np.float64)
        return cls(sample.features, sample.y, kelvin, group_numbers(sample.groups))

    def splits(self, window: str, seed: int) -> list[tuple[Index, Index]]:
        """Return rows to fit to and rows to ask of each fold."""
        inside = (self.kelvin >= _INSIDE_K[0]) & (self.kelvin <= _INSIDE_K[1])
        found = []
        for split in grouped_folds(self.polymers, _N_FOLDS, np.random.default_rng(seed)):
            train, test = split.train, split.test
            if window == "outside":
                train, test = train[inside[train]], test[~inside[test]]
            found.append((train, test))
        return found

    def asked(self, model: str, settings: dict[str, Any], train: Index, test: Index, seed: int) -> Floats:
        """Return the answers for some rows of a model fitted to others."""
        fitted = PropertyRegressor(model, settings, seed, calibrates=False).fit(
            self.features[train], self.y[train], groups=self.polymers[train], temperature_k=self.kelvin[train]
        )
        return fitted.guess(self.features[test], self.kelvin[test])[0]

    def dealt(self, seed: int) -> "Rows":
        """Return the same rows with the targets of other polymers, whole polymers at a time."""
        order = np.random.default_rng([seed, 1]).permutation(np.unique(self.polymers))
        given = np.concatenate([np.flatnonzero(self.polymers == each) for each in order])
        y = np.empty_like(self.y)
        y[np.argsort(self.polymers, kind="stable")] = self.y[given]
        return replace(self, y=y)


def part_of(folder: Path, title: str, window: str, seed: int) -> Path:
    """Return where the answers of a model for one draw of the folds are kept."""
    plain = "".join(each if each.isalnum() else "_" for each in title)
    return folder / f"{plain}-{window}-{seed}.npz"


def fill(rows: Rows, folder: Path, titles: Sequence[str], n_repeats: int) -> None:
    """Make the answers that are not there yet, and print the CPU seconds of each."""
    for seed in range(n_repeats):
        for title in titles:
            for window in _WINDOWS:
                path = part_of(folder, title, window, seed)
                if path.is_file():
                    continue
                start = time.process_time()
                value = np.full(len(rows.y), np.nan)
                for train, test in rows.splits(window, seed):
                    value[test] = rows.asked(*MODELS[title], train, test, seed)
                spent = time.process_time() - start
                part = path.with_suffix(".part.npz")
                np.savez(part, value=value, cpu_s=spent)
                part.replace(path)
                print(f"{title}, {window}, draw {seed}: {spent:.1f} CPU s", flush=True)


def errors_of(rows: Rows, folder: Path, title: str, window: str, n_repeats: int) -> Floats | None:
    """Return the mean error of each row over the repeats, nan where it was not asked; None where a part is missing."""
    paths = [part_of(folder, title, window, seed) for seed in range(n_repeats)]
    if not all(path.is_file() for path in paths):
        return None
    return np.asarray(np.mean([np.abs(np.load(path)["value"] - rows.y) for path in paths], axis=0))


def means(error: Floats, polymers: Index) -> tuple[str, str]:
    """Return the mean over rows and that over polymers, each with a 95 % interval from resampling polymers."""
    asked = np.isfinite(error)
    _, member = np.unique(polymers[asked], return_inverse=True)
    counts = np.bincount(member)
    sums = np.bincount(member, weights=error[asked])
    drawn = np.random.default_rng(0).integers(len(counts), size=(_N_DRAWS, len(counts)))
    by_rows = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    by_polymers = (sums / counts)[drawn].mean(axis=1)
    said = []
    for value, draws in ((sums.sum() / counts.sum(), by_rows), ((sums / counts).mean(), by_polymers)):
        low, high = np.quantile(draws, [0.025, 0.975])
        said.append(f"{value:+.3f} ({low:+.3f} to {high:+.3f})")
    return said[0], said[1]


def tables(rows: Rows, folder: Path, n_repeats: int) -> str:
    """Return the table of errors and that of paired differences, of the models whose parts are all there."""
    found = {
        (title, window): error
        for title in MODELS
        for window in _WINDOWS
        if (error := errors_of(rows, folder, title, window, n_repeats)) is not None
    }
    heads = [f"{about}, {over}" for about in _WINDOWS.values() for over in ("rows", "polymers")]
    first, second = [["model", *heads]], [["difference", *heads]]
    for title in MODELS:
        if all((title, window) in found for window in _WINDOWS):
            cells = [cell for window in _WINDOWS for cell in means(found[title, window], rows.polymers)]
            first.append([title, *(cell.replace("+", "") for cell in cells)])
    for ours, theirs in PAIRS:
        if all((title, window) in found for title in (ours, theirs) for window in _WINDOWS):
            differences = [found[ours, window] - found[theirs, window] for window in _WINDOWS]
            second.append(
                [f"{ours} − {theirs}", *(cell for each in differences for cell in means(each, rows.polymers))]
            )
    return "\n\n".join("\n".join(aligned(table)) for table in (first, second))


def cold_and_hot(rows: Rows, folder: Path, n_repeats: int) -> str:
    """Return errors outside of the temperatures, below and above them apart, then paired differences of the same."""
    heads = [f"{side}, {over}" for side in ("below", "above") for over in ("rows", "polymers")]
    first, second = [["outside", *heads]], [["difference outside", *heads]]
    sides = (rows.kelvin < _INSIDE_K[0], rows.kelvin > _INSIDE_K[1])
    found = {title: errors_of(rows, folder, title, "outside", n_repeats) for title in MODELS}

    def cells(error: Floats) -> list[str]:
        return [cell for side in sides for cell in means(np.where(side, error, np.nan), rows.polymers)]

    for title, error in found.items():
        if error is not None:
            first.append([title, *(cell.replace("+", "") for cell in cells(error))])
    for ours, theirs in PAIRS:
        one, other = found[ours], found[theirs]
        if one is not None and other is not None:
            second.append([f"{ours} − {theirs}", *cells(one - other)])
    return "\n\n".join("\n".join(aligned(table)) for table in (first, second))


def measured_where(rows: Rows) -> str:
    """Return log₁₀ σ at 60 °C by the coldest temperature of a formulation: medians of lines of four rows or more."""
    _, member = np.unique(np.nan_to_num(rows.features, nan=-99.0), axis=0, return_inverse=True)
    coldest, level = [], []
    for each in np.flatnonzero(np.bincount(member) >= 4):
        mine = member == each
        inverse = 1000.0 / rows.kelvin[mine]
        if np.ptp(inverse) > 0.2:
            coldest.append(rows.kelvin[mine].min() - 273.15)
            level.append(float(np.polyval(np.polyfit(inverse, rows.y[mine], 1), 1000.0 / 333.15)))
    edges = (-60.0, 5.0, 27.0, 40.0, 60.0)
    lines = [["coldest temperature", "formulations", "log₁₀ σ at 60 °C"]]
    for low, high in pairwise(edges):
        inside = (np.array(coldest) >= low) & (np.array(coldest) < high)
        if inside.any():
            middle = float(np.median(np.array(level)[inside]))
            lines.append([f"{low:.0f} to {high:.0f} °C", str(int(inside.sum())), f"{middle:.2f}"])
    return "\n".join(aligned(lines))


def nulls(rows: Rows, n_nulls: int) -> str:
    """Return mean and least error of extra trees fitted to dealt targets, beside that of the same on the true ones."""
    lines = []
    for window, about in _WINDOWS.items():
        found = []
        for deal in range(n_nulls + 1):
            given = rows if deal == 0 else rows.dealt(deal)
            value = np.full(len(rows.y), np.nan)
            for train, test in given.splits(window, 0):
                value[test] = given.asked("extra_trees", _CHEAP, train, test, 0)
            found.append(float(np.nanmean(np.abs(value - given.y))))
        least, as_good = min(found[1:]), sum(each <= found[0] for each in found[1:])
        lines.append(
            f"{about}, MAE over rows: extra trees of {_CHEAP['n_trees']} trees {found[0]:.3f}; {n_nulls} nulls "
            f"{np.mean(found[1:]):.3f}, least {least:.3f}, p {(1 + as_good) / (1 + n_nulls):.2f}"
        )
    return "\n".join(lines)


def straightness(rows: Rows) -> str:
    """Return how far formulations are from lines in 1/(T − θ), by θ: median of their root mean squares."""
    _, member = np.unique(np.nan_to_num(rows.features, nan=-99.0), axis=0, return_inverse=True)
    counts = np.bincount(member)
    lines = [["θ in K", "median off the line", "straighter than with 0 K"]]
    base: Floats | None = None
    spread = [np.ptp(1000.0 / rows.kelvin[member == each]) for each in range(len(counts))]
    chosen = np.flatnonzero((counts >= 5) & (np.array(spread) > 0.2))
    for shift in (0.0, 50.0, 100.0, 150.0, 170.0, 190.0, 210.0):
        found = []
        for each in chosen:
            mine = member == each
            tau, y = 1000.0 / (rows.kelvin[mine] - shift), rows.y[mine]
            found.append(float(np.sqrt(np.mean((y - np.polyval(np.polyfit(tau, y, 1), tau)) ** 2))))
        off = np.array(found)
        base = off if base is None else base
        lines.append([f"{shift:.0f}", f"{np.median(off):.3f}", f"{np.mean(off < base):.0%} of {len(off)}"])
    return "\n".join(aligned(lines))


def main(arguments: Sequence[str] | None = None) -> int:
    """Make what is missing and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=_DATA, help="the table of polymers (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="folder of the parts that are made")
    parser.add_argument("--repeats", type=int, default=3, help="draws of the folds (%(default)s)")
    parser.add_argument("--only", action="append", choices=tuple(MODELS), help="make the parts of this model alone")
    parser.add_argument("--nulls", type=int, default=0, help="deals of the targets (%(default)s)")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    rows = Rows.read(options.data)
    fill(rows, options.out, options.only or tuple(MODELS), options.repeats)
    print(tables(rows, options.out, options.repeats), cold_and_hot(rows, options.out, options.repeats), sep="\n\n")
    print(f"\n{measured_where(rows)}")
    print(f"\nformulations with five rows or more and lines in 1/(T − θ):\n{straightness(rows)}")
    if options.nulls:
        print(nulls(rows, options.nulls))
    print(f"{time.process_time():.0f} CPU s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
