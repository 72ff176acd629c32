"""From stated uncertainties of energies to intervals of what is derived from them.

Energies of a calculation have no statistical error: without a stated uncertainty there is no interval, and that is
what is said. A standard deviation per entry (a systematic ± that the user states) is propagated by drawing all
energies anew, independently for each composition; polymorphs share their draw, or the lowest of many would be too
low. A committee is followed member by member through the whole calculation, so that errors common to several phases
cancel as they do in truth.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from scipy.special import stdtrit

from mlip_sse.analysis.reactions.phases import Phase
from mlip_sse.analysis.results import Interval
from mlip_sse.errors import InputError

__all__ = ["NO_INTERVAL", "intervals_of", "with_uncertainty"]

NO_INTERVAL = "no interval: the energies carry none"

_CONFIDENCE = 0.95


def with_uncertainty(phases: Sequence[Phase], uncertainty_ev_atom: float) -> tuple[Phase, ...]:
    """Return the phases with one standard deviation stated for all, elements excepted (they are the reference)."""
    return tuple(
        phase if len(phase.amounts) == 1 else dataclasses.replace(phase, uncertainty_ev_atom=uncertainty_ev_atom)
        for phase in phases
    )


def intervals_of(
    phases: Sequence[Phase],
    quantities: Callable[[Sequence[Phase]], Mapping[str, float]],
    n_samples: int = 200,
    seed: int = 0,
) -> dict[str, Interval]:
    """Return quantities with intervals, or with the words that there are none.

    Parameters
    ----------
    phases
        All that enters, reactants of their own included.
    quantities
        Computes the quantities from the phases, in the same order.
    n_samples
        Times that independent energies are drawn.
    seed
        Of the draws.

    Raises
    ------
    InputError
        When the phases' committees differ in size.
    """
    values = quantities(phases)
    n_members = {len(phase.committee_ev_atom) for phase in phases if phase.committee_ev_atom}
    if len(n_members) > 1:
        sizes = " and ".join(map(str, sorted(n_members)))
        raise InputError(f"found committees of {sizes} members, expected the same members for all phases")
    if n_members and (n := n_members.pop()) > 1:
        return _from_committee(values, [quantities(each) for each in _members(phases, n)])
    if not any(phase.uncertainty_ev_atom for phase in phases):
        nan = float("nan")
        return {name: Interval(value, nan, nan, nan, NO_INTERVAL) for name, value in values.items()}
    samples = [quantities(each) for each in _draws(phases, n_samples, seed)]
    method = f"{n_samples} draws from the standard deviations stated for the entries, independent between compositions"
    tail = 50 * (1 - _CONFIDENCE)
    found = {}
    for name, value in values.items():
        low, high = np.percentile([sample[name] for sample in samples], [tail, 100 - tail], method="nearest")
        found[name] = Interval(value, min(float(low), value), max(float(high), value), _CONFIDENCE, method)
    return found


def _from_committee(values: Mapping[str, float], members: list[Mapping[str, float]]) -> dict[str, Interval]:
    quantile = float(stdtrit(len(members) - 1, 0.5 + _CONFIDENCE / 2))
    method = f"committee of {len(members)}, each member followed through; Student's t of their spread"
    found = {}
    for name, value in values.items():
        predicted = [member[name] for member in members]
        half = quantile * float(np.std(predicted, ddof=1)) if np.isfinite(predicted).all() else 0.0
        found[name] = Interval(value, value - half, value + half, _CONFIDENCE, method)
    return found


def _members(phases: Sequence[Phase], n_members: int) -> Iterator[tuple[Phase, ...]]:
    for k in range(n_members):
        yield tuple(
            dataclasses.replace(phase, energy=phase.committee_ev_atom[k] * phase.n_atoms)
            if phase.committee_ev_atom
            else phase
            for phase in phases
        )


def _draws(phases: Sequence[Phase], n_samples: int, seed: int) -> Iterator[tuple[Phase, ...]]:
    rng = np.random.default_rng(seed)
    spreads = np.array([phase.uncertainty_ev_atom or 0.0 for phase in phases])
    _, composition = np.unique([phase.formula for phase in phases], return_inverse=True)
    for _ in range(n_samples):
        shifts = spreads * rng.standard_normal(int(composition.max()) + 1)[composition]
        yield tuple(
            dataclasses.replace(phase, energy=phase.energy + shift * phase.n_atoms) if shift else phase
            for phase, shift in zip(phases, shifts.tolist(), strict=True)
        )
