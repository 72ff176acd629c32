"""Moduli and thermal expansion from formulas: a published split, networks, learning curve, stratification.

``python benchmarks/aflow_moduli.py fixed`` fits the recipes ``bulk_modulus``, ``shear_modulus`` and
``thermal_expansion`` to the shared AFLOW training tables and asks the validation tables (11 CPU minutes);
``networks`` compares networks of composition with trees there; ``curve`` gives their errors against the number of
training materials; ``strata`` compares stratified with plain folds, ten repeats. ``--property`` keeps to one of the
three. Expansion is volumetric and printed in 1e-6 /K.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import numpy.typing as npt

from benchmarks.tables import aligned
from mlip_sse.properties.evaluation import Evaluation
from mlip_sse.properties.features import feature_matrix
from mlip_sse.properties.fixed_split import fit_fixed_split
from mlip_sse.properties.recipes import load_recipe
from mlip_sse.properties.regression import PropertyRegressor
from mlip_sse.properties.selection import FittedSelection
from mlip_sse.properties.sources import read_for
from mlip_sse.properties.splits import Split, grouped_folds, stratified_folds

__all__ = ["main"]

Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]

_DATA = Path(__file__).resolve().parents[2] / "shared/data/elastic_cte"
TABLES = {
    "bulk_modulus": ("aflow__ael_bulk_modulus_vrh", 1.0),
    "shear_modulus": ("aflow__ael_shear_modulus_vrh", 1.0),
    "thermal_expansion": ("aflow__agl_thermal_expansion_300K", 1e6),
}
_BLOCKS = ("magpie", "fractions", "bonding")
_TREES: dict[str, Any] = {"n_trees": 800, "depth": 6, "learning_rate": 0.03, "feature_share": 0.3}
_FAST_TREES: dict[str, Any] = {"n_trees": 120, "depth": 4, "learning_rate": 0.08, "feature_share": 0.15}
_NETWORK: dict[str, Any] = {"n_epochs": 60, "n_members": 3, "n_hidden": 128, "n_layers": 3, "dropout": 0.05}
_PAIRS: dict[str, Any] = {
    "loss": "laplace", "n_epochs": 40, "n_members": 4, "batch": 128, "learning_rate": 6e-3, "dropout": 0.0,
}  # fmt: skip


@dataclass(frozen=True)
class Published:
    """A published split: features and targets of training and validation; expansion in 1e-6 /K."""

    train_x: Floats
    train_y: Floats
    test_x: Floats
    test_y: Floats
    name: str

    @classmethod
    def read(cls, folder: Path, name: str) -> "Published":
        """Read the two tables of a property."""
        recipe = load_recipe(name)
        where, unit = TABLES[name]
        parts: list[Floats] = []
        for part in ("train", "val"):
            table = read_for(recipe, folder / where / f"{part}.csv")
            features = feature_matrix(_BLOCKS, table.compositions, table.structure_list())[1]
            parts += [features, unit * table.numbers(recipe.target.column, recipe.target.unit)]
        return cls(parts[0], parts[1], parts[2], parts[3], name)

    def learner(self, model: str, settings: dict[str, Any], seed: int = 0) -> PropertyRegressor:
        """Return a model without intervals; networks see fractions alone."""
        columns = tuple(range(132, 235)) if model.endswith("_network") else None
        logarithm = self.name == "thermal_expansion" or model == "pair_network"
        return PropertyRegressor(model, settings, seed, 5, columns, False, logarithm)

    def asked(
        self, model: str, settings: dict[str, Any], rows: Index, y: Floats | None = None, seed: int = 0
    ) -> Floats:
        """Return the answers for validation of a model fitted to some training rows."""
        target = self.train_y if y is None else y
        fitted = self.learner(model, settings, seed).fit(self.train_x[rows], target[rows])
        return fitted.guess(self.test_x, None)[0]


def interval(per_material: Floats, seed: int = 0) -> str:
    """Return the mean over materials with its 95 % bootstrap interval."""
    rng = np.random.default_rng(seed)
    draws = per_material[rng.integers(len(per_material), size=(1000, len(per_material)))].mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return f"{per_material.mean():.2f} ({low:.2f} to {high:.2f})"


def fixed(folder: Path, names: Sequence[str]) -> list[list[str]]:
    """Return a line for each metric of each recipe on its published split, and the weights of its candidates."""
    lines = [["property", "metric", "value", "95 % interval", "null", "p", "always the median"]]
    for name in names:
        where, unit = TABLES[name]
        recipe = load_recipe(name)
        tables = [read_for(recipe, folder / where / f"{part}.csv") for part in ("train", "val")]
        trained, report = fit_fixed_split(recipe, *tables)
        blend: FittedSelection = trained.fitted
        weights = ", ".join(f"{part.model} {w:.2f}" for part, w in zip(blend.parts, blend.weights, strict=True))
        errors = ", ".join(f"{each} {unit * e:.2f}" for each, e in zip(blend.names, blend.errors, strict=True))
        print(f"{name}: MAE on inner folds {errors}; weights {weights}", flush=True)
        lines += _lines(f"{name} ({report.n_train}/{report.n_test}, {report.n_shared} shared)", report.evaluation, unit)
    return lines


def _lines(title: str, found: Evaluation, unit: float) -> list[list[str]]:
    made = []
    for metric, each in found.metrics.items():
        scale = unit if metric in ("mae", "rmse", "width") else 1.0
        null = "" if each.null is None else f"{scale * each.null:.3g}"
        base = found.baseline.get(metric, float("nan"))
        ends = f"{scale * each.low:.3g} to {scale * each.high:.3g}"
        p_value = "" if each.p_value is None else f"{each.p_value:.2f}"
        made.append([title, metric, f"{scale * each.value:.3g}", ends, null, p_value, f"{scale * base:.3g}"])
    return made


def networks(folder: Path, names: Sequence[str]) -> list[list[str]]:
    """Return MAE on validation of networks and trees, their null, and what the network errs more than the trees."""
    lines = [["property", "model", "MAE (95 % interval)", "more than LightGBM", "null", "CPU s"]]
    for name in names:
        data = Published.read(folder, name)
        rows = np.arange(len(data.train_y))
        dealt = np.random.default_rng(1).permutation(data.train_y)
        trees: Floats | None = None
        for model, settings in (
            ("lightgbm", _TREES),
            ("extra_trees", {"n_trees": 80}),
            ("composition_network", _NETWORK),
            ("set_network", {**_NETWORK, "n_epochs": 40}),
            ("pair_network", _PAIRS),
        ):
            start = time.process_time()
            error = np.abs(data.asked(model, settings, rows) - data.test_y)
            spent = time.process_time() - start
            trees = error if trees is None else trees
            null = np.abs(data.asked(model, settings, rows, dealt) - data.test_y).mean()
            more = "" if model == "lightgbm" else interval(error - trees)
            lines.append([name, model, interval(error), more, f"{null:.1f}", f"{spent:.0f}"])
            print(" ".join(lines[-1]), flush=True)
    return lines


def curve(folder: Path) -> list[list[str]]:
    """Return MAE of the bulk modulus on validation against the number of training materials, drawn at random."""
    data = Published.read(folder, "bulk_modulus")
    order = np.random.default_rng(0).permutation(len(data.train_y))
    lines = [["share", "materials", "composition_network", "lightgbm"]]
    for share in (0.1, 0.2, 0.4, 0.6, 0.8, 1.0):
        rows = np.sort(order[: round(share * len(order))])
        found = [
            interval(np.abs(data.asked(model, settings, rows) - data.test_y))
            for model, settings in (("composition_network", _NETWORK), ("lightgbm", _TREES))
        ]
        lines.append([f"{share:.1f}", str(len(rows)), *found])
        print(" ".join(lines[-1]), flush=True)
    return lines


def strata(folder: Path, names: Sequence[str], repeats: int) -> list[list[str]]:
    """Return how far stratified folds differ from plain ones in MAE, RMSE and R², mean and 95 % interval over repeats.

    With extremes kept for training the first and the last of five bins are never asked: there all three ways are
    judged by the rows between them.
    """
    lines = [["property", "rows", "way", "MAE", "RMSE", "R²"]]
    for name in names:
        data = Published.read(folder, name)
        y, rows = data.train_y, np.arange(len(data.train_y))
        edges = np.quantile(y, [0.2, 0.8])
        middle = (y >= edges[0]) & (y < edges[1])
        found: dict[tuple[str, str], list[Floats]] = {}
        for repeat in range(repeats):
            ways = {
                "plain": grouped_folds(rows, 5, np.random.default_rng(repeat)),
                "stratified": stratified_folds(rows, y, 5, np.random.default_rng(repeat)),
                "extremes kept": stratified_folds(rows, y, 5, np.random.default_rng(repeat), 5, True),
            }
            for way, splits in ways.items():
                value = _out_of_fold(data, splits, repeat)
                asked = np.isfinite(value)
                if way != "extremes kept":
                    found.setdefault(("all", way), []).append(_scores(y, value))
                found.setdefault(("between", way), []).append(_scores(y[middle & asked], value[middle & asked]))
        for (which, way), scores in found.items():
            table = np.array(scores)
            lines.append([name, which, way, *(f"{each:.3f}" for each in table.mean(axis=0))])
            if way != "plain":
                off = table - np.array(found[which, "plain"])
                lines.append([name, which, f"{way} − plain", *(_over_repeats(column) for column in off.T)])
        print("\n".join(" ".join(line) for line in lines[1:] if line[0] == name), flush=True)
    return lines


def _out_of_fold(data: Published, splits: Sequence[Split], seed: int) -> Floats:
    value = np.full(len(data.train_y), np.nan)
    for split in splits:
        fitted = data.learner("lightgbm", _FAST_TREES, seed).fit(data.train_x[split.train], data.train_y[split.train])
        value[split.test] = fitted.guess(data.train_x[split.test], None)[0]
    return value


def _scores(y: Floats, value: Floats) -> Floats:
    error = value - y
    r2 = 1 - np.sum(error**2) / np.sum((y - y.mean()) ** 2)
    return np.array([np.abs(error).mean(), np.sqrt(np.mean(error**2)), r2])


def _over_repeats(differences: Floats) -> str:
    from scipy.stats import t

    half = float(t.ppf(0.975, len(differences) - 1)) * differences.std(ddof=1) / np.sqrt(len(differences))
    return f"{differences.mean():+.3f} ({differences.mean() - half:+.3f} to {differences.mean() + half:+.3f})"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one part and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("fixed", "networks", "curve", "strata"))
    parser.add_argument("--data", type=Path, default=_DATA, help="folder of the AFLOW tables (%(default)s)")
    parser.add_argument("--repeats", type=int, default=10, help="of strata (%(default)s)")
    parser.add_argument("--property", choices=tuple(TABLES), help="one alone; curve is of the bulk modulus")
    options = parser.parse_args(arguments)
    names = (options.property,) if options.property else tuple(TABLES)
    parts = {
        "fixed": lambda: fixed(options.data, names),
        "networks": lambda: networks(options.data, names),
        "curve": lambda: curve(options.data),
        "strata": lambda: strata(options.data, names, options.repeats),
    }
    lines = parts[options.part]()
    print("\n".join(aligned(lines)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
