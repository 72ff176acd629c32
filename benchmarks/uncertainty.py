"""Do the bounds hold, and does the grade warn? One fit, one later segment of MD, and frames far from the training.

    python benchmarks/uncertainty.py DATASET --trajectory GROUP --other DATASET --reference chgnet --out FOLDER

DATASET holds trajectories of one material, GROUP is the long one among them. Its first 40 % and all other groups train,
the next 30 % calibrate, the last 30 % test. The rules were fixed before any result was seen:

- coverage: share of atoms of the later segment whose force error is at most the 90 % bound; it should be 87 to 93 %;
- alarm: a frame is flagged when an atom's grade is beyond the limit of its element, limits that flag 5 % of the
  calibration frames; a frame is bad when its force RMSE is above three times that of the training;
- bad frames are looked for among test frames that were rattled (0.05 to 0.3 Å), compressed (2 to 10 % of each edge),
  and given antisites (one to four swapped pairs), labelled by the reference anew, and in another composition.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from mlip_sse.dataset import Dataset, LabelledFrame, Split
from mlip_sse.potentials.calibration import ForceBounds, calibrate_bounds
from mlip_sse.potentials.contract import FittedPotential
from mlip_sse.potentials.fitting import fit
from mlip_sse.potentials.model_errors import Prediction, force_errors, model_errors, predict
from mlip_sse.potentials.pod.specs import PodSpec
from mlip_sse.potentials.uncertainty.correlated import binomial_interval
from mlip_sse.specs import load_spec
from mlip_sse.structures import exchange_atoms, rattle, scale_volume

TRAIN, CALIBRATE = 0.4, 0.7
COVERAGE = 0.9
BAD = 3.0
RATTLES_A, COMPRESSIONS, ANTISITES = (0.05, 0.1, 0.15, 0.2, 0.3), (0.02, 0.04, 0.06, 0.08, 0.1), (1, 2, 3, 4)
N_STARTS = 4
RECIPE = {
    "family": "pod",
    "description": "benchmark of the uncertainty",
    "domain": {"temperature_k": [300, 1000], "references": ["doi:10.1016/j.jcp.2023.112030"], "licence": "MIT"},
}


def split_of(frames: Sequence[LabelledFrame], trajectory: str) -> Split:
    long = sorted((f for f in frames if f.group == trajectory), key=lambda f: f.place)
    others = [f for f in frames if f.group != trajectory]
    if len(long) < 40:
        raise SystemExit(f"found {len(long)} frames in {trajectory!r}, groups: {sorted({f.group for f in frames})}")
    first, second = round(TRAIN * len(long)), round(CALIBRATE * len(long))
    statement = f"{trajectory}: {first} frames train, {second - first} calibrate, {len(long) - second} test"
    return Split((*others, *long[:first]), tuple(long[first:second]), tuple(long[second:]), statement)


def far_frames(starts: Sequence[LabelledFrame], reference: str, folder: Path) -> dict[str, list[LabelledFrame]]:
    """Distort frames and label them anew."""
    from mlip_sse.references import load_reference

    rng = np.random.default_rng(7)
    wanted = {}
    for kind, sizes in (("rattled", RATTLES_A), ("compressed", COMPRESSIONS), ("antisites", ANTISITES)):
        atoms = []
        for size in sizes:
            for start in starts:
                plain = start.to_atoms()
                plain.calc = None
                seed = int(rng.integers(1 << 30))
                if kind == "rattled":
                    atoms.append(rattle(plain, size, seed=seed, min_distance_ratio=0.5))
                elif kind == "compressed":
                    atoms.append(scale_volume(plain, (1 - size) ** 3 - 1))
                else:
                    pair = ("Li", "S") if size % 2 else ("P", "S")
                    atoms.append(exchange_atoms(plain, pair, n_pairs=int(size), seed=seed))
        wanted[kind] = atoms
    chosen = load_reference(reference)
    return {kind: list(chosen.label(atoms, folder / "tasks")) for kind, atoms in wanted.items()}


def alarm_rows(
    bounds: ForceBounds, sets: dict[str, list[LabelledFrame]], potential: FittedPotential, bad_above: float
) -> dict[str, dict[str, float]]:
    """Return, for each set, how many frames are bad, flagged, and both; with the fixed grades 2 and 10 beside it."""
    rows = {}
    for name, frames in sets.items():
        predictions = predict(potential, frames)
        rmse = np.array(
            [np.sqrt(((p.forces - f.forces) ** 2).mean()) for f, p in zip(frames, predictions, strict=True)]
        )
        bad = rmse > bad_above
        grades = [p.indicators["extrapolation_grade"] for p in predictions]
        excess = np.array([bounds.alarm.excess(g, f.symbols) for g, f in zip(grades, frames, strict=True)])
        largest = np.array([g.max() for g in grades])
        rows[name] = {
            "n_frames": len(frames),
            "n_bad": int(bad.sum()),
            "flagged": int((excess > 1).sum()),
            "bad_and_flagged": int((bad & (excess > 1)).sum()),
            "bad_and_grade_above_2": int((bad & (largest > 2)).sum()),
            "bad_and_grade_above_10": int((bad & (largest > 10)).sum()),
            "median_excess": float(np.median(excess)),
            "median_rmse_ev_a": float(np.median(rmse)),
            "lowest_excess_of_bad": float(excess[bad].min()) if bad.any() else float("nan"),
        }
    return rows


def report(bounds: ForceBounds, split: Split, predictions: Sequence[Prediction], train_rmse: float) -> None:
    errors = force_errors(split.test, predictions)
    print(f"\nsplit: {split.statement}\ntraining force RMSE {1e3 * train_rmse:.1f} meV/Å")
    print(f"{100 * COVERAGE:g} % bound on the later segment:\n{bounds.coverage_on(split.test, predictions).describe()}")
    for name in ("forces_std", "extrapolation_grade"):
        values = np.concatenate([p.indicators[name] for p in predictions])
        print(f"rank correlation with the force error, {name}: {spearmanr(values, errors)[0]:.2f}")
    scores = bounds.scale.scores(
        {name: np.concatenate([p.indicators[name] for p in predictions]) for name in predictions[0].indicators}
    )
    print(f"rank correlation with the force error, score: {spearmanr(scores, errors)[0]:.2f}")
    print(f"score: {json.dumps(bounds.scale.to_dict())}\nalarm: {json.dumps(bounds.alarm.to_dict())}")


def report_alarm(rows: dict[str, dict[str, float]]) -> None:
    print(
        f"\n{'':>22} {'frames':>6} {'bad':>5} {'flagged':>8} {'both':>5} {'RMSE':>8} {'excess':>7} {'least of bad':>12}"
    )
    for name, row in rows.items():
        print(
            f"{name:>22} {row['n_frames']:6d} {row['n_bad']:5d} {row['flagged']:8d} {row['bad_and_flagged']:5d} "
            f"{row['median_rmse_ev_a']:8.3f} {row['median_excess']:7.2f} {row['lowest_excess_of_bad']:12.2f}"
        )
    far = [row for name, row in rows.items() if name != "later segment"]
    bad, both = (sum(int(row[key]) for row in far) for key in ("n_bad", "bad_and_flagged"))
    if bad:
        low, high = binomial_interval(both / bad, bad)
        print(f"flagged of the bad: {both} of {bad}, {100 * both / bad:.1f} % ({100 * low:.1f} to {100 * high:.1f})")
        for limit in (2, 10):
            found = sum(int(row[f"bad_and_grade_above_{limit}"]) for row in far)
            print(f"  with a fixed grade of {limit}: {found} of {bad}")
    near = rows["later segment"]
    low, high = binomial_interval(near["flagged"] / near["n_frames"], near["n_frames"])
    print(
        f"false alarms on the later segment: {near['flagged']} of {near['n_frames']}, "
        f"{100 * near['flagged'] / near['n_frames']:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--trajectory", required=True, help="group of the long run")
    parser.add_argument("--other", type=Path, help="dataset of another composition, same elements and labels")
    parser.add_argument("--reference", default="chgnet")
    parser.add_argument("--recipe", help="a POD recipe; the defaults of the family where it is not given")
    parser.add_argument("--out", type=Path, default=Path("uncertainty"))
    arguments = parser.parse_args()
    started = time.process_time()
    recipe = load_spec(arguments.recipe, "potential") if arguments.recipe else PodSpec.parse(RECIPE)
    split = split_of(list(Dataset(arguments.dataset)), arguments.trajectory)
    potential = fit(recipe, split, arguments.out / "fit", gates=())
    bounds = calibrate_bounds(split.validation, predict(potential, split.validation), coverage=COVERAGE)
    predictions = predict(potential, split.test)
    train_rmse = model_errors(potential, split.train)["force_ev_a"]["rmse"]
    report(bounds, split, predictions, train_rmse)
    step = len(split.test) // N_STARTS
    sets = {"later segment": list(split.test)}
    sets |= far_frames(split.test[::step][:N_STARTS], arguments.reference, arguments.out)
    if arguments.other:
        known = set(potential.card.elements)
        sets["another composition"] = [f for f in Dataset(arguments.other) if set(f.symbols) <= known][::3]
    report_alarm(alarm_rows(bounds, sets, potential, BAD * train_rmse))
    print(f"\n{time.process_time() - started:.0f} CPU s")


if __name__ == "__main__":
    main()
