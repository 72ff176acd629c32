"""What differs between the questions that a campaign may be asked; the loop around it is one and the same.

A question is a class in a module of its own, named here and in `mlip_sse.campaign.specs.CAMPAIGNS` by the value of the
spec's ``question``.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mlip_sse.campaign.learning_specs import LearningSpec
from mlip_sse.engine import Progress

if TYPE_CHECKING:
    from ase import Atoms

    from mlip_sse.campaign.decision import Criterion
    from mlip_sse.campaign.folder import CampaignFolder
    from mlip_sse.campaign.learner import Learner

__all__ = ["QUESTIONS", "Question", "Segment", "question_of"]

Say = Callable[[str, Progress], None]

QUESTIONS: Mapping[str, str] = MappingProxyType(
    {
        "conductivity": "mlip_sse.campaign.conductivity:Conductivity",
        "barrier": "mlip_sse.campaign.barrier:Barrier",
        "interface": "mlip_sse.campaign.interface:InterfaceReaction",
    }
)
"""Where the class of each question lies, as ``module:name``."""


@dataclass(frozen=True)
class Segment:
    """One run of exploration: where it starts, from which temperature to which, in what ensemble.

    Parameters
    ----------
    name, start, temperatures_k, ensemble, seed
        As they say.
    is_reactive
        Whether bonds may break and be made on the way.
    """

    name: str
    start: "Atoms"
    temperatures_k: tuple[float, float]
    ensemble: str
    seed: int
    is_reactive: bool = False


class Question(ABC):
    """What a campaign needs to know of its question.

    Every method is a function of the spec and of what it is given: a campaign that was killed asks again.
    """

    @property
    @abstractmethod
    def learning_spec(self) -> LearningSpec:
        """The campaign."""

    @property
    @abstractmethod
    def temperatures_k(self) -> tuple[float, float]:
        """The coldest and the hottest that the potential is to know."""

    @property
    def asked_k(self) -> float:
        """The hottest that the answer is read from; beyond it exploration only looks ahead."""
        return self.temperatures_k[1]

    @abstractmethod
    def starts(self) -> "list[Atoms]":
        """Return the structures that seeds and exploration start from.

        Raises
        ------
        InputError
            When they cannot be built.
        """

    def seeds_around(self, start: "Atoms", number: int, name: str) -> "list[Atoms]":
        """Return the seeds around one of the starts, relaxed where that could be done.

        Parameters
        ----------
        start, number
            The structure, and its number among the starts.
        name
            What the groups of its frames begin with.
        """
        from mlip_sse.campaign.seeds import seed_frames

        return seed_frames(self.learning_spec, start, name)

    def more_seeds(self) -> "list[Atoms]":
        """Return seeds beside those around the starts; ``info`` says group and place."""
        return []

    @abstractmethod
    def segments(self, starts: "Sequence[Atoms]", number: int, reach: float) -> list[Segment]:
        """Return the runs of one round.

        Parameters
        ----------
        starts
            As `starts` returned them, relaxed where that could be done.
        number
            Of the round, from 1.
        reach
            Share of their length that the runs of the round before came to.
        """

    def further_frames(self, learner: "Learner", number: int) -> "list[Atoms]":
        """Return frames to label beside the looks of a round, most wanted first; ``info`` says group and place."""
        return []

    @abstractmethod
    def probe(self, learner: "Learner", document: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return what the answer would be after a round, plain data for its document; None where it is too early."""

    @abstractmethod
    def criterion(self, rounds: Sequence[Mapping[str, Any]]) -> "Criterion":
        """Return whether the answer stayed over the last rounds, by their probes."""

    @abstractmethod
    def answer(self, folder: "CampaignFolder", learner: "Learner", last: Mapping[str, Any]) -> dict[str, Any]:
        """Return the document of the answer; the potential gets its place in the folder.

        Parameters
        ----------
        folder
            Of the campaign.
        learner
            With the final potential.
        last
            The document of the last round.
        """


def question_of(spec: LearningSpec) -> Question:
    """Return the question of a spec."""
    module, name = QUESTIONS[spec.question].split(":")
    make: Callable[[LearningSpec], Question] = getattr(import_module(module), name)
    return make(spec)
