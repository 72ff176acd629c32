"""One segment: run, look, stop in time, and keep what was seen before the end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.md_protocols.exploration.dynamics import Drive, State, run_states
from mlip_sse.md_protocols.exploration.ends import End, PhysicalAlarms
from mlip_sse.md_protocols.exploration.looks import Looks
from mlip_sse.md_protocols.exploration.spreads import committee_spreads
from mlip_sse.md_protocols.exploration.trust import Trust, judge_of, untrusted

if TYPE_CHECKING:
    from ase import Atoms

    from mlip_sse.potentials import Potential

__all__ = ["N_SPREADS", "Look", "Segment", "looks_of", "run_segment", "spread_places"]

N_SPREADS = 60
"""Most looks of a segment whose committee spread is evaluated: the last, those of highest excess, and others evenly.

One costs as much as two steps of each member.
"""

_N_LAST = 4


@dataclass(frozen=True, eq=False)
class Look:
    """One look that may be kept."""

    state: State
    trust: Trust


@dataclass(frozen=True, eq=False)
class Segment:
    """A segment that is done.

    Parameters
    ----------
    seen
        The looks before the end; the first is the start, at step 0.
    end, end_look
        Why it ended early and the look that said so; None where it did not, or where LAMMPS itself gave up.
    reached_step
        The step of the last look, whatever it saw.
    """

    seen: tuple[Look, ...]
    end: End | None
    end_look: Look | None
    reached_step: int


def run_segment(
    potential: "Potential", start: "Atoms", drive: Drive, stop_error_ev_a: float | None, is_reactive: bool = False
) -> Segment:
    """Run until the time is over or a look says stop.

    Parameters
    ----------
    potential
        Drives the atoms.
    start
        Start structure; its polyanions are taken to be whole.
    drive
        Temperatures, length, looks.
    stop_error_ev_a
        The largest bound on a force error that is accepted, in eV/Å; None: only the grade itself and the physical
        alarms end it.
    is_reactive
        Whether bonds may break and be made.

    Raises
    ------
    InputError, RunError
        As `dynamics.run_states` says; never for what happens after the first step.
    """
    judge, alarms = judge_of(potential), PhysicalAlarms(start, is_reactive)
    engines: list[Any] = []

    def prepare(engine: Any) -> None:
        engines.append(engine)
        judge.prepare(engine)

    seen: list[Look] = []
    reached = 0
    states = run_states(potential, start, drive, prepare)
    try:
        for state in states:
            if isinstance(state, End):
                return Segment(_kept(seen, state), state, None, reached)
            reached = state.step
            atoms = _atoms(start, state)
            end, look = alarms.look(atoms, state, drive.target_k(state.step)), None
            if end is None:
                look = Look(state, judge.look(engines[0], atoms))
                end = untrusted(look.trust, stop_error_ev_a)
            if end is not None:
                return Segment(_kept(seen, end), end, look, reached)
            if look is not None:
                seen.append(look)
    finally:
        states.close()
    return Segment(tuple(seen), None, None, reached)


def looks_of(segment: Segment, potential: "Potential", start: "Atoms") -> Looks:
    """Return the arrays of a segment, the committee's spread evaluated now."""
    seen, n_atoms = segment.seen, len(start)
    features = np.array([look.trust.features for look in seen], dtype=np.float32)
    return Looks(
        np.array([look.state.positions for look in seen]).reshape(-1, n_atoms, 3),
        np.array([look.state.cell for look in seen]).reshape(-1, 3, 3),
        np.array([look.trust.grades for look in seen]).reshape(-1, n_atoms),
        _spreads(seen, potential, start),
        features if len(seen) else np.zeros((0, judge_of(potential).n_features(start)), dtype=np.float32),
    )


def spread_places(excess: Sequence[float], n: int) -> NDArray[np.intp]:
    """Return the places, in order, of at most ``n`` looks: the last four, half of highest excess, others evenly."""
    if len(excess) <= n:
        return np.arange(len(excess), dtype=np.intp)
    ranked = np.argsort(-np.asarray(excess), kind="stable")[: n // 2]
    chosen = np.union1d(ranked, np.arange(len(excess) - _N_LAST, len(excess)))
    others = np.setdiff1d(np.arange(len(excess)), chosen)
    even = others[np.linspace(0, len(others) - 1, n - len(chosen)).round().astype(np.intp)]
    return np.union1d(chosen, even).astype(np.intp)


def _spreads(seen: Sequence[Look], potential: "Potential", start: "Atoms") -> NDArray[np.float64]:
    found = np.full((len(seen), len(start)), np.nan)
    places = spread_places([look.trust.excess for look in seen], N_SPREADS)
    if len(places):
        found[places] = committee_spreads(potential, [_atoms(start, seen[place].state) for place in places])
    return found


def _kept(seen: Sequence[Look], end: End) -> tuple[Look, ...]:
    """Return the looks that an end leaves; the start is what it was given as."""
    return tuple(seen[: max(1, len(seen) - end.spoiled)])


def _atoms(start: "Atoms", state: State) -> "Atoms":
    from ase import Atoms

    return Atoms(start.get_chemical_symbols(), positions=state.positions, cell=state.cell, pbc=True)
