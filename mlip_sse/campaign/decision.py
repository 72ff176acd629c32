"""When a campaign stops: dynamics that stays in known country, errors that stay, and an answer that stays.

A round is quiet where no run of its exploration was ended and few looks were above the alarm. Learning stops when, over
the last rounds together, each was quiet, the force error on held-out frames no longer changed, and the answer of
their probes stayed: for a conductivity, D(T) and Ea agreed within their intervals.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from mlip_sse.campaign.learning_specs import DecisionSpec

__all__ = ["Criterion", "Decision", "alarm_share", "conductivity_criterion", "decide", "is_quiet", "movement", "shift"]


@dataclass(frozen=True)
class Criterion:
    """One thing that must hold: what was found, and what was wanted, in words."""

    name: str
    met: bool
    found: str
    wanted: str


@dataclass(frozen=True)
class Decision:
    """Whether learning stops, and why or why not.

    Parameters
    ----------
    stop
        Whether the answer stands.
    criteria
        What was looked at.
    """

    stop: bool
    criteria: tuple[Criterion, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """What held where it stops, what is missing where it does not; a sentence each."""
        return tuple(f"{c.name}: found {c.found}, wanted {c.wanted}" for c in self.criteria if c.met == self.stop)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for the round's file."""
        criteria = [{"name": c.name, "met": c.met, "found": c.found, "wanted": c.wanted} for c in self.criteria]
        return {"stop": self.stop, "criteria": criteria, "reasons": list(self.reasons)}


def alarm_share(exploration: Sequence[Mapping[str, Any]], up_to_k: float = math.inf) -> float:
    """Return the share of the looks of a round whose grade was above the alarm; 0 where nothing has a grade.

    Parameters
    ----------
    exploration
        The runs of a round.
    up_to_k
        Looks at a higher temperature of the thermostat do not count: there the answer is not read.
    """
    excesses = []
    for segment in exploration:
        first, last = segment["temperatures_k"]
        looks = segment["looks"]
        for time_ps, excess in zip(looks["time_ps"], looks["excess"], strict=True):
            if first + (last - first) * time_ps / segment["wanted_ps"] <= up_to_k:
                excesses.append(excess)
    return sum(value > 1.0 for value in excesses) / len(excesses) if excesses else 0.0


def is_quiet(document: Mapping[str, Any], wanted: DecisionSpec) -> bool:
    """Return whether all runs of a round came to their end in country that the potential knows."""
    return not any(segment["ended"] for segment in document["exploration"]) and document["alarm_share"] <= wanted.alarms


def movement(first: Mapping[str, Any] | None, second: Mapping[str, Any] | None) -> float | None:
    """Return how far two intervals of a positive quantity are apart, in units of their joint half-width.

    The distance of the logarithms over √(h₁² + h₂²), h the half-width of ln; None where one of them is not there or
    only a limit.
    """
    halves, values = [], []
    for interval in (first, second):
        if interval is None or interval.get("value") is None:
            return None
        low, high, value = (float(interval[key]) for key in ("low", "high", "value"))
        if not 0 < low <= value <= high or not math.isfinite(high):
            return None
        halves.append(0.5 * math.log(high / low))
        values.append(math.log(value))
    joint = math.hypot(*halves)
    distance = abs(values[1] - values[0])
    return distance / joint if joint > 0 else (0.0 if distance == 0 else math.inf)


def shift(first: Mapping[str, Any] | None, second: Mapping[str, Any] | None) -> float | None:
    """Return how far two intervals of a quantity of either sign are apart, in units of their joint half-width.

    An activation energy of a short probe may well have an interval that reaches below zero.
    """
    halves, values = [], []
    for interval in (first, second):
        if interval is None or interval.get("value") is None:
            return None
        low, high, value = (float(interval[key]) for key in ("low", "high", "value"))
        if not (low <= value <= high and math.isfinite(low) and math.isfinite(high)):
            return None
        halves.append(0.5 * (high - low))
        values.append(value)
    joint, distance = math.hypot(*halves), abs(values[1] - values[0])
    return distance / joint if joint > 0 else (0.0 if distance == 0 else math.inf)


def conductivity_criterion(last: Sequence[Mapping[str, Any]]) -> Criterion:
    """Return whether D(T) and Ea of the probes of some rounds, each with the next, agree within their intervals."""
    name, limit = "the answer", "D(T) and Ea of each probe within the joint intervals of the next"
    probes = [each.get("probe") for each in last]
    if any(probe is None for probe in probes):
        return Criterion(name, False, f"{sum(p is not None for p in probes)} probes in {len(last)} rounds", limit)
    distances: list[float | None] = []
    for one, other in pairwise(probes):
        if one is None or other is None:
            continue
        distances += [movement(a, b) for a, b in zip(one["diffusivity_cm2_s"], other["diffusivity_cm2_s"], strict=True)]
        distances.append(shift(one["activation_energy_ev"], other["activation_energy_ev"]))
    known = [distance for distance in distances if distance is not None]
    if distances[-1] is None:
        return Criterion(name, False, "a probe without an activation energy", limit)
    # Five quantities are compared at once; a joint half-width of 95 % each would refuse one time in five by chance.
    widest = max(known)
    return Criterion(name, widest <= 1.5, f"at most {widest:.2f} joint half-widths apart", f"{limit} (1.5 half-widths)")


def decide(
    rounds: Sequence[Mapping[str, Any]],
    wanted: DecisionSpec,
    criterion: Callable[[Sequence[Mapping[str, Any]]], Criterion] = conductivity_criterion,
) -> Decision:
    """Look at the rounds so far.

    Parameters
    ----------
    rounds
        Documents of the rounds after the seeds, in order, as `rounds/NNN.json` holds them.
    wanted
        The limits.
    criterion
        Of the question: given the last rounds, whether the answer of their probes stayed.
    """
    last = rounds[-wanted.rounds :]
    span = f"in each of {wanted.rounds} rounds"
    if len(last) < wanted.rounds:
        return Decision(False, (Criterion("rounds", False, f"{len(last)}", f"at least {wanted.rounds}"),))
    ended = [segment["ended"]["kind"] for each in last for segment in each["exploration"] if segment["ended"]]
    n_runs = sum(len(each["exploration"]) for each in last)
    alarms = [float(each["alarm_share"]) for each in last]
    criteria = [
        Criterion(
            "runs that came to their end",
            not ended,
            f"{n_runs - len(ended)} of {n_runs}" + (f" ({', '.join(sorted(set(ended)))})" if ended else ""),
            f"all, {span}",
        ),
        Criterion(
            "looks above the alarm",
            max(alarms) <= wanted.alarms,
            ", ".join(f"{100 * share:.1f} %" for share in alarms),
            f"at most {100 * wanted.alarms:g} % {span}",
        ),
        _error_criterion(last, wanted),
        criterion(last),
    ]
    return Decision(all(criterion.met for criterion in criteria), tuple(criteria))


def _error_criterion(last: Sequence[Mapping[str, Any]], wanted: DecisionSpec) -> Criterion:
    errors = [float(each["errors"]["force_ev_a"]["rmse"]) for each in last]
    changes = [abs(b - a) / a for a, b in pairwise(errors)]
    return Criterion(
        "force error on held-out frames",
        max(changes) <= wanted.error_change,
        ", ".join(f"{1000 * error:.0f}" for error in errors) + " meV/Å",
        f"changes of at most {100 * wanted.error_change:g} %",
    )
