"""Which of two errors to report: that of the model, right for independent ions, or that of time blocks, right for all.

Run as a program it prints how often intervals of D, and of Ea from five temperatures, hold the truth:
``python -m tests.slow.error_choice``. The model's variance is 1, the true one is r (the ions' correlation), the blocks'
is r χ²_ν/ν: what either knows, and nothing of walkers, seeds or temperatures of `coverage_study`. Rules:

larger       the larger of the two, Student's t with ν where it is that of the blocks: what the package does
F at α       the blocks' where an F test says at level α that it is larger, otherwise the model's
pooled       both weighted by their degrees of freedom, ten for the model
blocks       the blocks' always
"""

import numpy as np
from scipy.special import chdtri, stdtrit

from mlip_sse.analysis.transport.temperature.weighted_line import fit_weighted_line
from mlip_sse.units import BOLTZMANN_EV_PER_K

LEVELS = (0.68, 0.95)
RULES = ("larger", "F at 0.3", "F at 0.1", "F at 0.05", "pooled", "blocks")
RATIOS = (1.0, 1.25, 1.6, 2.5, 4.0)
DEGREES_OF_FREEDOM = (6, 12, 25)
TEMPERATURES = np.array([450.0, 520.0, 610.0, 720.0, 1000.0])
MODEL_ERROR = 0.05
"""Relative standard error of each D by the model."""

MODEL_DOF = 10.0


def choose(rule: str, blocks: np.ndarray, dof: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the variances that a rule reports, relative to the model's, and their degrees of freedom."""
    if rule == "blocks":
        return blocks, np.full_like(blocks, dof)
    if rule == "pooled":
        return (dof * blocks + MODEL_DOF) / (dof + MODEL_DOF), np.full_like(blocks, dof + MODEL_DOF)
    threshold = 1.0 if rule == "larger" else chdtri(dof, float(rule.removeprefix("F at "))) / dof
    taken = blocks > threshold
    return np.where(taken, blocks, 1.0), np.where(taken, float(dof), np.inf)


def shares(rule: str, ratio: float, dof: int, n_sets: int = 20000, seed: int = 11) -> dict[tuple[str, float], float]:
    """Return the percentage of intervals that hold the truth, by quantity and level."""
    rng = np.random.default_rng(seed)
    errors = np.sqrt(ratio) * MODEL_ERROR * rng.standard_normal((n_sets, len(TEMPERATURES)))
    variances, dofs = choose(rule, ratio * rng.chisquare(dof, errors.shape) / dof, dof)
    line = fit_weighted_line(1 / (BOLTZMANN_EV_PER_K * TEMPERATURES), errors, MODEL_ERROR**2 * variances, dofs)
    found = {}
    for level in LEVELS:
        half = stdtrit(np.minimum(dofs, 1e8), 0.5 + level / 2) * MODEL_ERROR * np.sqrt(variances)
        found["D", level] = 100 * float(np.mean(np.abs(errors) < half))
        _, low, high = line.interval(np.array([0.0, -1.0]), level)
        found["Ea", level] = 100 * float(np.mean((low < 0) & (high > 0)))
    return found


if __name__ == "__main__":
    for level in LEVELS:
        print(f"\nD, Ea at {100 * level:.0f} %\n\n| r | ν | " + " | ".join(RULES) + " |\n" + "|---" * 8 + "|")
        for ratio in RATIOS:
            for dof in DEGREES_OF_FREEDOM:
                table = [shares(rule, ratio, dof) for rule in RULES]
                cells = [f"{cell['D', level]:.1f}, {cell['Ea', level]:.1f}" for cell in table]
                print(f"| {ratio} | {dof} | " + " | ".join(cells) + " |")
