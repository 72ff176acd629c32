"""The question of a conductivity: hot runs explore, short productions probe, long ones answer."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mlip_sse.campaign.decision import Criterion, conductivity_criterion, is_quiet
from mlip_sse.campaign.questions import Question, Segment
from mlip_sse.campaign.seeds import number_from, starts_of
from mlip_sse.campaign.specs import CampaignSpec
from mlip_sse.structures import scale_volume

if TYPE_CHECKING:
    from ase import Atoms

    from mlip_sse.campaign.folder import CampaignFolder
    from mlip_sse.campaign.learner import Learner

__all__ = ["Conductivity", "plan_segments"]

_COLDEST_K = 300.0
_MOST_TIMES = 4
_EXPANDED, _HALFWAY = 0.12, 0.08  # in volume, of the start


class Conductivity(Question):
    """D(T), Ea and the conductivity at 300 K.

    Parameters
    ----------
    spec
        The campaign.
    """

    def __init__(self, spec: CampaignSpec) -> None:
        self.spec = spec

    @property
    def learning_spec(self) -> CampaignSpec:
        """The campaign."""
        return self.spec

    @property
    def temperatures_k(self) -> tuple[float, float]:
        """From 300 K, or the coldest of the answer, to the end of the ramps."""
        return min(_COLDEST_K, *self.spec.temperatures_k), self.spec.hottest_k

    @property
    def asked_k(self) -> float:
        """The hottest of the answer."""
        return max(self.spec.temperatures_k)

    def starts(self) -> "list[Atoms]":
        """Return the arrangements of the structure; what could not be run at the end is refused here already."""
        from mlip_sse.campaign.final_recipe import final_recipe, require_elements
        from mlip_sse.campaign.production import dynamics_of

        for duration_ps in (self.spec.production.production_ps, self.spec.production.probe_ps):
            dynamics_of(self.spec, duration_ps=duration_ps, seeds=(1,))
        final, starts = final_recipe(self.spec, self.temperatures_k), starts_of(self.spec)
        if final is not None:
            require_elements(final, starts)
        return starts

    def segments(self, starts: "Sequence[Atoms]", number: int, reach: float) -> list[Segment]:
        """Return ramps and hot runs."""
        return plan_segments(self.spec, starts, number, reach)

    def probe(self, learner: "Learner", document: Mapping[str, Any]) -> dict[str, Any] | None:
        """Run a short production; None where exploration was not quiet, or short."""
        from mlip_sse.campaign.production import probe

        explored_ps = sum(segment["reached_ps"] for segment in document["exploration"])
        if not is_quiet(document, self.spec.decide) or explored_ps < self.spec.decide.explored_ps:
            return None
        return probe(self.spec, learner.fitted, learner.starts[0], learner.engine, say=learner.say)

    def criterion(self, rounds: Sequence[Mapping[str, Any]]) -> Criterion:
        """Return whether D(T) and Ea stayed within their intervals."""
        return conductivity_criterion(rounds)

    def answer(self, folder: "CampaignFolder", learner: "Learner", last: Mapping[str, Any]) -> dict[str, Any]:
        """Run production and teacher check, and put every error into the intervals."""
        from mlip_sse.campaign.answer import find_answer

        learner.finish()
        return find_answer(self.spec, folder, learner, last, say=learner.say)


def plan_segments(spec: CampaignSpec, starts: "Sequence[Atoms]", number: int, reach: float) -> list[Segment]:
    """Return the runs of one round: ramps to the hottest and hot runs, in turn.

    Two kinds of four are at zero pressure: there production will be, up to a quarter larger in volume than the relaxed
    start, and forces learnt at the volume of the start alone do not hold. One is expanded by hand, and one keeps the
    volume of the start, where others may use the potential. The kinds are taken in turn over the rounds too, so that
    with few runs a round each kind has its turn. Where runs end early there are up to four times as many: they cost
    little, and show different ways into the unknown.

    Parameters
    ----------
    spec, starts
        The campaign, and the structures to start from.
    number
        Of the round, from 1.
    reach
        Share of their length that the runs of the round before came to.
    """
    top, coldest = spec.hottest_k, min(_COLDEST_K, *spec.temperatures_k)
    hottest, middle = max(spec.temperatures_k), float(np.median(spec.temperatures_k))
    kinds = (
        ("ramp", (coldest, top), "npt", 0.0),
        ("hot", (hottest, top), "npt", _HALFWAY),
        ("ramp", (middle, top), "nvt", _EXPANDED),
        ("ramp", (coldest, top), "nvt", 0.0),
    )
    segments = []
    n_segments = spec.explore.segments * min(_MOST_TIMES, max(1, round(0.5 / max(reach, 1e-3))))
    for k in range(n_segments):
        at = k + (number - 1) * spec.explore.segments
        name, temperatures, ensemble, change = kinds[at % len(kinds)]
        start = starts[(at // len(kinds)) % len(starts)]
        segments.append(
            Segment(
                name=f"{name} {k + 1}",
                start=scale_volume(start, change) if change else start.copy(),
                temperatures_k=temperatures,
                ensemble=ensemble,
                seed=number_from(spec.seed, number, k, "segment") % 899_999_999 + 1,
            )
        )
    return segments
