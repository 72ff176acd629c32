"""How many measurements a related source saves in the search for the best composition of a ternary system.

    python -m benchmarks.transfer_optimisation [--seeds 20] [--out FILE]

Two response surfaces over 231 mixtures of three components: the target has three peaks, the related source has the same
ones moved, in other proportions, tilted, scaled and shifted. The null is an unrelated source: a surface whose peaks lie
elsewhere. A seed draws 30 noisy source points, the noise of the target and the first points. Counted are the
measurements until one of the best 1 % of the mixtures (two) is among those measured, at most 40. The interval of a
ratio of means is a bootstrap over seeds, both arms of a seed together.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

from mlip_sse.properties.optimize.acquisition import Known, Pool, select_points
from mlip_sse.properties.optimize.grid import CompositionGrid
from mlip_sse.properties.optimize.surrogates import Source

N_SOURCE, N_MOST, NOISE, SHARE = 30, 40, 0.02, 0.01
ARMS = ("without", "related", "unrelated", "random")

_PEAKS = {
    "target": (((0.62, 0.28, 0.10), 1.00, 0.10), ((0.15, 0.55, 0.30), 0.80, 0.16), ((0.25, 0.10, 0.65), 0.70, 0.20)),
    "related": (((0.57, 0.30, 0.13), 0.90, 0.12), ((0.18, 0.50, 0.32), 0.85, 0.16), ((0.28, 0.12, 0.60), 0.55, 0.22)),
    "unrelated": (((0.05, 0.90, 0.05), 1.00, 0.14), ((0.33, 0.33, 0.34), 0.80, 0.12), ((0.05, 0.15, 0.80), 0.6, 0.1)),
}
_TILT = {"target": (0.0, 0.0, 0.0), "related": (0.0, 0.25, 0.0), "unrelated": (0.0, 0.1, 0.2)}
_SCALE = {"target": (1.0, 0.0), "related": (2.5, -4.0), "unrelated": (1.5, 1.0)}


def surface(name, points):
    """Return the response at (n, 3) mixtures, without noise."""
    value = points @ np.array(_TILT[name])
    for centre, height, width in _PEAKS[name]:
        value = value + height * np.exp(-((points - np.array(centre)) ** 2).sum(axis=1) / (2 * width**2))
    scale, shift = _SCALE[name]
    return scale * value + shift


def search(arm, seed, grid):
    """Return after how many measurements one of the best mixtures was among them."""
    truth = surface("target", grid.points)
    wanted = set(np.argsort(-truth)[: max(1, int(SHARE * len(truth)))].tolist())
    rng = np.random.default_rng([seed, 7])
    source = None
    if arm in ("related", "unrelated"):
        rows = np.random.default_rng([seed, 11]).choice(len(truth), N_SOURCE, replace=False)
        values = surface(arm, grid.points[rows])
        noise = NOISE * _SCALE[arm][0] * np.random.default_rng([seed, 13]).normal(size=N_SOURCE)
        source = Source(grid.points[rows], (values + noise)[:, None])
    noisy = truth + NOISE * rng.normal(size=len(truth))
    places: list[int] = []
    while len(places) < N_MOST:
        known = Known(grid.points[places], noisy[places][:, None])
        strategy = "random" if arm == "random" else "improvement"
        free = np.setdiff1d(np.arange(len(truth)), places)
        (best,) = select_points(Pool.of(grid.points[free]), 1, strategy=strategy, known=known, source=source, seed=seed)
        places.append(int(free[best]))
        if places[-1] in wanted:
            return len(places)
    return N_MOST


def summary(counts):
    """Return means and ratios to the arm without a source, with 95 % bootstrap intervals over seeds."""
    rng = np.random.default_rng(1)
    n = len(counts["without"])
    draws = rng.integers(n, size=(4000, n))
    found = {}
    for arm, values in counts.items():
        numbers = np.array(values, dtype=float)
        means = numbers[draws].mean(axis=1)
        ratios = np.array(counts["without"], dtype=float)[draws].mean(axis=1) / means
        found[arm] = {
            "mean": float(numbers.mean()),
            "mean_interval": np.quantile(means, [0.025, 0.975]).tolist(),
            "ratio": float(np.mean(counts["without"]) / numbers.mean()),
            "ratio_interval": np.quantile(ratios, [0.025, 0.975]).tolist(),
            "median": float(np.median(numbers)),
            "not_found": int((numbers >= N_MOST).sum()),
        }
    return found


def main():
    """Run all arms and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    grid = CompositionGrid(("A", "B", "C"), 20)
    started = time.process_time()
    counts: dict[str, list[int]] = {arm: [] for arm in ARMS}
    for seed in range(options.seeds):
        for arm in ARMS:
            counts[arm].append(search(arm, seed, grid))
        print(f"seed {seed}: " + ", ".join(f"{arm} {counts[arm][-1]}" for arm in ARMS), file=sys.stderr, flush=True)
    found = summary(counts)
    print(f"{'arm':10} {'mean':>6}  {'95 %':>13}  {'median':>6}  {'fewer by':>8}  {'95 %':>13}  not found")
    for arm, row in found.items():
        (low, high), (less, more) = row["mean_interval"], row["ratio_interval"]
        print(
            f"{arm:10} {row['mean']:6.2f}  {low:5.2f} … {high:5.2f}  {row['median']:6.1f}  {row['ratio']:8.2f}  "
            f"{less:5.2f} … {more:5.2f}  {row['not_found']}"
        )
    print(f"{time.process_time() - started:.0f} CPU s")
    if options.out:
        options.out.write_text(json.dumps({"counts": counts, "summary": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
