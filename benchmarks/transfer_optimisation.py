"""How many measurements a related source saves in the search for the best composition of a ternary system.

    python -W ignore -m benchmarks.transfer_optimisation [--seeds 20] [--first 0] [--out FILE]

Each seed draws a response surface over 231 mixtures of three components, three peaks of other heights and widths and a
tilt, and four sources of 30 noisy points each: *near* (peaks moved by 0.05 of the mixture, a little changed), *far*
(moved by 0.12, heights and widths changed so much that another peak may be the highest), *unrelated* (drawn anew) and
*misleading* (the highest peak is missing, the second is higher than it was). Sources are in another unit.

Counted are the measurements until one whose value without noise is within 5 % (and within 1 %) of the range from the
optimum, at most 40. Arms: `random`; `alone`, the search without a source; `botorch`, the same first points with
BoTorch's own process and priors; `order`, the mixtures in the order of what a process of the near source predicts,
without learning; each source from its own first points; and `near, same start` and `far, same start` with the three
first points of `alone`. The ratio is that of the means up to 40, against the better of `alone` and `botorch`; intervals
are bootstraps over seeds, both arms of a seed together.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

from mlip_sse.properties.optimize.acquisition import Known, Pool, improvements, select_points
from mlip_sse.properties.optimize.grid import CompositionGrid
from mlip_sse.properties.optimize.surrogates import Source, Surrogate, fit_surrogate

N_SOURCE, N_MOST, N_FIRST, NOISE = 30, 40, 3, 0.02
LEVELS = (0.05, 0.01)
SOURCES = ("near", "far", "unrelated", "misleading")
ARMS = ("random", "alone", "botorch", "order", *SOURCES, "near, same start", "far, same start")
SCALE, SHIFT = 2.5, -4.0


def surface(peaks, tilt, points):
    """Return the response at (n, 3) mixtures, without noise."""
    value = points @ tilt
    for centre, height, width in peaks:
        value = value + height * np.exp(-((points - centre) ** 2).sum(axis=1) / (2 * width**2))
    return value


def drawn(rng):
    """Return peaks and tilt: a highest peak of 1, two of 0.5 to 0.85, widths of 0.12 to 0.22 of a mixture."""
    heights = (1.0, *rng.uniform(0.5, 0.85, 2))
    peaks = [(rng.dirichlet([2.0, 2.0, 2.0]), height, rng.uniform(0.12, 0.22)) for height in heights]
    return peaks, rng.normal(0.0, 0.1, 3)


def moved(peaks, tilt, by, change, rng):
    """Return peaks whose centres are ``by`` away (up to the edge) and whose heights and widths are changed."""
    found = []
    for centre, height, width in peaks:
        step = rng.normal(size=3)
        step -= step.mean()
        place = np.clip(centre + by * step / np.linalg.norm(step), 0.0, None)
        found.append(
            (place / place.sum(), height * np.exp(change * rng.normal()), width * np.exp(change * rng.normal()))
        )
    return found, tilt + rng.normal(0.0, 0.1, 3)


def surfaces(seed, points):
    """Return the target and the four sources at all mixtures, by name."""
    rng = np.random.default_rng([seed, 3])
    peaks, tilt = drawn(rng)
    _, second, third = peaks
    kinds = {
        "target": (peaks, tilt),
        "near": moved(peaks, tilt, 0.05, 0.1, rng),
        "far": moved(peaks, tilt, 0.12, 0.3, rng),
        "unrelated": drawn(rng),
        "misleading": ([(second[0], 1.2, second[2]), third], tilt),
    }
    return {name: surface(*kind, points) for name, kind in kinds.items()}


def search(arm, seed, grid, values, first):
    """Return after how many measurements each level was reached, N_MOST + 1 where it was not."""
    truth = values["target"]
    goals = [truth.max() - level * np.ptp(truth) for level in LEVELS]
    noisy = truth + NOISE * np.random.default_rng([seed, 7]).normal(size=len(truth))
    source = None if arm in ("random", "alone", "botorch") else source_of(arm.partition(",")[0], seed, grid, values)
    places: list[int] = list(first) if "same" in arm or arm == "botorch" else []
    order = ordered(source, grid) if arm == "order" else None
    while len(places) < N_MOST and not (len(places) and truth[places].max() >= goals[-1]):
        places.append(
            int(order[len(places)]) if order is not None else following(arm, seed, grid, noisy, places, source)
        )
    reached = [np.flatnonzero(truth[places] >= goal) for goal in goals]
    return [int(found[0]) + 1 if len(found) else N_MOST + 1 for found in reached], places


def following(arm, seed, grid, noisy, places, source):
    """Return the mixture that is measured next."""
    free = np.setdiff1d(np.arange(len(noisy)), places)
    known = Known(grid.points[places], noisy[places][:, None])
    if arm == "botorch":
        surrogate = botorch_default(grid.points[places], noisy[places])
        return int(free[np.argmax(improvements((surrogate,), grid.points[free], known))])
    strategy = "random" if arm == "random" else "improvement"
    drawn_by = [seed, len(places)] if arm == "random" else seed
    (best,) = select_points(Pool.of(grid.points[free]), 1, strategy=strategy, known=known, source=source, seed=drawn_by)
    return int(free[best])


def source_of(name, seed, grid, values):
    """Return 30 noisy points of a source, in another unit."""
    response = values["near" if name == "order" else name]
    rows = np.random.default_rng([seed, 11]).choice(len(response), N_SOURCE, replace=False)
    noise = NOISE * np.random.default_rng([seed, 13]).normal(size=N_SOURCE)
    return Source(grid.points[rows], (SCALE * (response[rows] + noise) + SHIFT)[:, None])


def ordered(source, grid):
    return np.argsort(-fit_surrogate(source.features, source.values[:, 0]).predict(grid.points)[0], kind="stable")


def botorch_default(features, values):
    """Return a process with the kernel and priors that BoTorch gives a SingleTaskGP."""
    import torch
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import SingleTaskGP
    from gpytorch.mlls import ExactMarginalLogLikelihood

    centre, unit = float(values.mean()), float(values.std(ddof=1)) or 1.0
    rows, scaled = torch.from_numpy(np.array(features)), torch.from_numpy((values - centre) / unit)[:, None]
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        model = SingleTaskGP(rows, scaled, outcome_transform=None)
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
    finally:
        torch.set_default_dtype(before)
    return Surrogate(model, centre, unit, False, None, None)


def summary(counts, at):
    """Return mean, median, ratios to the better of the arms without a source, intervals over seeds, for one level."""
    numbers = {arm: np.minimum(np.array(rows)[:, at], N_MOST).astype(float) for arm, rows in counts.items()}
    missed = {arm: int((np.array(rows)[:, at] > N_MOST).sum()) for arm, rows in counts.items()}
    base = min(("alone", "botorch"), key=lambda arm: numbers[arm].mean())
    n = len(numbers[base])
    draws = np.random.default_rng(1).integers(n, size=(4000, n))
    found = {"against": base}
    for arm, own in numbers.items():
        row = {"mean": own.mean(), "median": np.median(own), "not_reached": missed[arm]}
        row["mean_interval"] = np.quantile(own[draws].mean(axis=1), [0.025, 0.975]).tolist()
        for name, average in (("ratio", np.mean), ("median_ratio", np.median)):
            ratios = average(numbers[base][draws], axis=1) / average(own[draws], axis=1)
            row[name] = float(average(numbers[base]) / average(own))
            row[f"{name}_interval"] = np.quantile(ratios, [0.025, 0.975]).tolist()
        found[arm] = row
    return found


def relatedness(seeds, grid):
    """Return, of each source, the correlation with the target and how far the optimum moved, means over seeds."""
    found = {name: [] for name in SOURCES}
    for seed in seeds:
        values = surfaces(seed, grid.points)
        best = grid.points[values["target"].argmax()]
        for name in SOURCES:
            apart = np.linalg.norm(grid.points[values[name].argmax()] - best)
            found[name].append((np.corrcoef(values["target"], values[name])[0, 1], apart))
    return {name: np.mean(rows, axis=0).tolist() for name, rows in found.items()}


def show(found, level):
    print(f"\nwithin {100 * level:g} % of the range; against `{found['against']}`")
    print(f"{'arm':17} {'mean':>5}  {'95 %':>13}  {'median':>6}  {'fewer':>6}  {'95 %':>11}  {'of medians':>18}  not")
    for arm, row in found.items():
        if arm == "against":
            continue
        (low, high), (less, more), (least, most) = (row[f"{key}_interval"] for key in ("mean", "ratio", "median_ratio"))
        print(
            f"{arm:17} {row['mean']:5.1f}  {low:5.1f} … {high:5.1f}  {row['median']:6.1f}  {row['ratio']:6.2f}  "
            f"{less:4.2f} … {more:4.2f}  {row['median_ratio']:4.2f} ({least:4.2f} … {most:4.2f})  "
            f"{row['not_reached']:3}"
        )


def main():
    """Run all arms and print a table for each level."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    grid = CompositionGrid(("A", "B", "C"), 20)
    started, seeds = time.process_time(), range(options.first, options.first + options.seeds)
    counts = {arm: [] for arm in ARMS}
    cpu = dict.fromkeys(ARMS, 0.0)
    for seed in seeds:
        values, first = surfaces(seed, grid.points), ()
        for arm in ARMS:
            before = time.process_time()
            reached, places = search(arm, seed, grid, values, first)
            cpu[arm] += time.process_time() - before
            counts[arm].append(reached)
            first = tuple(places[:N_FIRST]) if arm == "alone" else first
        shown = ", ".join(f"{arm} {'/'.join(map(str, counts[arm][-1]))}" for arm in ARMS)
        print(f"seed {seed}: {shown}; {time.process_time() - started:.0f} s", file=sys.stderr, flush=True)
    related = relatedness(seeds, grid)
    for name, (correlation, apart) in related.items():
        print(f"{name:12} correlation {correlation:5.2f}, optimum moved by {apart:.2f} of the mixture")
    found = {f"{level:g}": summary(counts, at) for at, level in enumerate(LEVELS)}
    for level in LEVELS:
        show(found[f"{level:g}"], level)
    print(f"{time.process_time() - started:.0f} CPU s; " + ", ".join(f"{arm} {cpu[arm]:.0f}" for arm in ARMS))
    if options.out:
        document = {"counts": counts, "summary": found, "related": related, "cpu_s": cpu}
        options.out.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
