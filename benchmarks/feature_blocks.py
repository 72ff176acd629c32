"""What each block of features adds on the shared conductivities, when whole families are left out.

``python benchmarks/feature_blocks.py`` reads ``../shared/data/obelix_train`` (478 rows, 254 of them with a CIF,
disordered or not), computes each block and prints how many rows have values and CPU milliseconds a crystal;
then, for sets of blocks, the mean absolute error of log₁₀ σ on the uncensored rows and the ROC-AUC of σ ≥ 10⁻⁴ S/cm,
with families in five folds (ten shuffles: mean, 5 % to 95 %) and each family of five rows or more alone.

The model is a ridge regression on standardised features, clipped at four deviations. Three things are chosen inside the
training families, by folds of families: the penalty, a floor below which log₁₀ σ is not told apart (bad conductors are
bad in many ways), and how far to go from the training median. For the last line the set of blocks is chosen there too.
The null shuffles log₁₀ σ over the rows.
"""

import argparse
import csv
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import numpy.typing as npt

from benchmarks.tables import aligned
from mlip_sse.properties.censoring import parse_number
from mlip_sse.properties.composition import reduced_composition
from mlip_sse.properties.features import FEATURES, featurizer
from mlip_sse.properties.splits import Split, SplitPlan, group_numbers, grouped_folds

__all__ = ["main"]

Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]
Choice = tuple[int, float, float, float]

_DATA = Path(__file__).resolve().parents[2] / "shared/data/obelix_train"
_STRUCTURE = ("superionic_screen", "site_disorder", "hierarchical", "voronoi_voids", "ewald_sites", "bond_valence")
_CHEMISTRY = ("ionic_chemistry", "table_cell")
SETS: tuple[tuple[str, ...], ...] = (
    ("magpie", "table_cell"), ("ionic_chemistry",), _CHEMISTRY, *((*_CHEMISTRY, block) for block in _STRUCTURE),
    (*_CHEMISTRY, *_STRUCTURE),
)  # fmt: skip
_FLOORS, _PENALTIES, _SHARES = (-99.0, -8.0, -6.5), (3.0, 30.0, 300.0), (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_THRESHOLD = -4.0


class Rows:
    """The table: log₁₀ σ, censoring signs, families and blocks of features."""

    def __init__(self, folder: Path) -> None:
        from pymatgen.core import Structure

        with (folder / "train.csv").open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        parsed = [parse_number(row["Ionic conductivity (S cm-1)"]) for row in rows]
        self.y = np.log10([value for value, _ in parsed])
        self.signs = np.array([sign for _, sign in parsed])
        self.formulas = [row["True Composition"] for row in rows]
        self.reduced = [reduced_composition(formula) for formula in self.formulas]
        self.families = [row["Family"] for row in rows]
        paths = [folder / "cifs" / f"{row['ID']}.cif" for row in rows]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.structures = [Structure.from_file(path, primitive=False) if path.is_file() else None for path in paths]
        cell = np.array(
            [[float(row[k]) for k in ("a", "b", "c", "alpha", "beta", "gamma", "Space group #")] for row in rows]
        )
        self.blocks = {"table_cell": np.column_stack([cell, np.prod(cell[:, :3], axis=1)])}
        names = [family or f"(none) {formula}" for family, formula in zip(self.families, self.reduced, strict=True)]
        self.family_numbers = group_numbers(names)

    def matrix(self, blocks: Sequence[str]) -> Floats:
        """Return some blocks side by side."""
        return np.concatenate([self.blocks[block] for block in blocks], axis=1)

    def featurize(self) -> list[list[str]]:
        """Compute all blocks; return a line of the table for each."""
        n_crystals = sum(structure is not None for structure in self.structures)
        lines = [["block", "features", "rows with values", "CPU ms a crystal"]]
        for name in FEATURES:
            block = featurizer(name)
            block.featurize(self.formulas[:2], self.structures[:2])  # what is compiled or read once does not count
            start = time.process_time()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.blocks[name] = block.featurize(self.formulas, self.structures)
            spent = 1000.0 * (time.process_time() - start) / n_crystals
            filled = int(np.isfinite(self.blocks[name]).any(axis=1).sum())
            lines.append([name, str(len(block.names)), str(filled), f"{spent:.1f}"])
        return lines


def candidates(x: Floats, y: Floats, train: Index, asked: Index) -> dict[tuple[float, float, float], Floats]:
    """Return the answers for some rows of all floors, penalties and shares, fitted on the training rows."""
    known = np.where(np.isfinite(x[train]), x[train], np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a block without a value in training has no median
        filled = np.where(np.isfinite(x), x, np.nan_to_num(np.nanmedian(known, axis=0)))
    spread = filled[train].std(axis=0)
    z = np.clip((filled - filled[train].mean(axis=0)) / np.where(spread > 1e-9, spread, np.inf), -4.0, 4.0)
    left, singular, right = np.linalg.svd(z[train], full_matrices=False)
    middle, answers = float(np.median(y[train])), {}
    for floor in _FLOORS:
        target = np.maximum(y[train], floor)
        for penalty in _PENALTIES:
            weights = right.T @ (singular / (singular**2 + penalty) * (left.T @ (target - target.mean())))
            shift = z[asked] @ weights - float(np.median(z[train] @ weights))
            for share in _SHARES:
                answers[(floor, penalty, share)] = middle + share * shift
    return answers


def nested(
    rows: Rows, sets: Sequence[Sequence[str]], y: Floats, splits: Sequence[Split], seed: int
) -> tuple[Floats, Floats]:
    """Return answers, and scores for ranking, of all rows that are asked; all is chosen inside the training rows."""
    matrices = [rows.matrix(blocks) for blocks in sets]
    answer, score = np.full(len(y), np.nan), np.full(len(y), np.nan)
    for split in splits:
        errors: dict[Choice, float] = {}
        for inner in grouped_folds(rows.family_numbers[split.train], 5, np.random.default_rng(seed)):
            train, asked = split.train[inner.train], split.train[inner.test]
            exact = rows.signs[asked] == 0
            for k, x in enumerate(matrices):
                for key, values in candidates(x, y, train, asked).items():
                    missed = float(np.abs(values - y[asked])[exact].sum())
                    errors[(k, *key)] = errors.get((k, *key), 0.0) + missed
        best = min(errors, key=lambda choice: errors[choice])
        final = candidates(matrices[best[0]], y, split.train, split.test)
        answer[split.test], score[split.test] = final[best[1:]], final[(best[1], best[2], 1.0)]
    return answer, score


def area_under_curve(positive: npt.NDArray[np.bool_], score: Floats) -> float:
    """Return the ROC-AUC by ranks, ties shared."""
    from scipy.stats import rankdata

    n_positive = int(positive.sum())
    ranks = rankdata(score)[positive].sum()
    return float((ranks - n_positive * (n_positive + 1) / 2) / (n_positive * (len(score) - n_positive)))


def judged(
    rows: Rows, sets: Sequence[Sequence[str]], y: Floats, splits: Sequence[Split], seed: int
) -> tuple[float, float]:
    """Return MAE on the uncensored rows and AUC on all that are asked."""
    answer, score = nested(rows, sets, y, splits, seed)
    asked = np.isfinite(answer)
    exact = asked & (rows.signs == 0)
    return float(np.abs(answer - y)[exact].mean()), area_under_curve(y[asked] >= _THRESHOLD, score[asked])


def main(arguments: Sequence[str] | None = None) -> int:
    """Compute the features, print both tables and the null."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=_DATA, help="folder of the conductivities (%(default)s)")
    parser.add_argument("--repeats", type=int, default=10, help="shuffles of the families (%(default)s)")
    parser.add_argument("--nulls", type=int, default=20, help="shuffles of the target (%(default)s)")
    options = parser.parse_args(arguments)
    rows = Rows(options.data)
    print("\n".join(aligned(rows.featurize())), flush=True)
    repeats = SplitPlan("family", 5, options.repeats).splits(rows.reduced, rows.y, rows.families)
    alone = SplitPlan("family_out").splits(rows.reduced, rows.y, rows.families)[0]
    lines = [["blocks", "MAE, 5 folds", "AUC, 5 folds", "MAE, each alone", "AUC, each alone"]]
    middle = [np.abs(rows.y[s.test] - np.median(rows.y[s.train]))[rows.signs[s.test] == 0] for s in alone]
    lines.append(["training median", "", "", f"{np.concatenate(middle).mean():.2f}", ""])
    named = [(" + ".join(blocks), [blocks]) for blocks in SETS]
    for name, sets in [*named, ("set chosen inside", list(SETS[1:]))]:
        found = np.array([judged(rows, sets, rows.y, splits, seed) for seed, splits in enumerate(repeats)])
        low, high = np.quantile(found, [0.05, 0.95], axis=0)
        each = judged(rows, sets, rows.y, alone, 0)
        folds = [f"{found[:, k].mean():.2f} ({low[k]:.2f} to {high[k]:.2f})" for k in (0, 1)]
        lines.append([name, *folds, f"{each[0]:.2f}", f"{each[1]:.2f}"])
    print("\n" + "\n".join(aligned(lines)), flush=True)
    rng = np.random.default_rng(0)
    best = [(*_CHEMISTRY, "bond_valence")]
    null = np.array([judged(rows, best, rng.permutation(rows.y), repeats[0], 0) for _ in range(options.nulls)])
    print(
        f"\nnull of {options.nulls} shuffles, chemistry + cell + bond valence: MAE {null[:, 0].mean():.2f} (least "
        f"{null[:, 0].min():.2f}), AUC {null[:, 1].mean():.2f} (largest {null[:, 1].max():.2f})"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
