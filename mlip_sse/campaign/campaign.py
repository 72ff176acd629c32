"""The main job: rounds of learning until the answer stands, then the answer."""

import errno
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlip_sse.campaign.decision import decide
from mlip_sse.campaign.folder import CampaignFolder
from mlip_sse.campaign.learner import Learner
from mlip_sse.campaign.learning_specs import LearningSpec
from mlip_sse.campaign.questions import question_of
from mlip_sse.campaign.specs import load_campaign
from mlip_sse.engine import Engine, EngineSpec, Progress, load_engine
from mlip_sse.errors import InputError, RunError

__all__ = ["Campaign"]

Say = Callable[[str, Progress], None]


class Campaign:
    """Learn a potential for a material and answer the question; the same call again goes on where it was.

    Parameters
    ----------
    spec
        A spec, the path of one, or a name in `md_protocols/campaigns/`.
    folder
        Where everything goes.
    engine
        Where tasks run: the path of an `engine.yaml`, settings, or None for this machine.
    say
        Called with a stage and its progress as tasks end.

    Raises
    ------
    CatalogueError, SpecError
        When there is no such spec, or it is wrong.

    Examples
    --------
    >>> from mlip_sse import Campaign
    >>> campaign = Campaign("li6ps5cl", "my-campaign")  # doctest: +SKIP
    >>> for round_ in campaign.rounds():  # doctest: +SKIP
    ...     print(round_["labels"]["n_total"], round_["errors"]["force_ev_a"]["rmse"])
    >>> campaign.answer()["conductivity_300k_ms_cm"]  # doctest: +SKIP
    """

    def __init__(
        self,
        spec: LearningSpec | str | Path,
        folder: str | Path = "campaign",
        *,
        engine: EngineSpec | Mapping[str, Any] | str | Path | None = None,
        say: Say | None = None,
    ) -> None:
        self.spec = spec if isinstance(spec, LearningSpec) else load_campaign(spec)
        self.folder = CampaignFolder(folder)
        self._engine_spec = load_engine(engine)
        self._say: Say = say or (lambda stage, progress: None)
        self._learner: Learner | None = None

    def run(self, after_round: Callable[[dict[str, Any]], None] | None = None) -> dict[str, Any]:
        """Do all that is missing and return the answer.

        Parameters
        ----------
        after_round
            Called with the document of each round, also of those that were done before.
        """
        with self._session():
            for document in self.rounds():
                if after_round is not None:
                    after_round(document)
            return self.answer()

    def rounds(self) -> Iterator[dict[str, Any]]:
        """Yield what each round did, from the first on, until learning stops; those on disk are not done again.

        Raises
        ------
        InputError
            When another process runs the campaign, or the folder is that of another spec.
        RunError
            When too many labels fail, a lane cannot work, or the disk is full.
        """
        with self._session() as learner:
            yield from self._learn(learner)

    def _learn(self, learner: Learner) -> Iterator[dict[str, Any]]:
        history: list[dict[str, Any]] = []
        for number in range(self.spec.budget.rounds + 1):
            document = self.folder.round(number)
            if document is not None and document["state"] == "done":
                learner.take(document)
            else:
                document = self._one_round(learner, number, history)
            history += [document] if number else []
            yield document
            if document["decision"] is not None and document["decision"]["end"]:
                return

    def _one_round(self, learner: Learner, number: int, history: list[dict[str, Any]]) -> dict[str, Any]:
        started = time.monotonic()
        document = learner.learn(number) if number else learner.seed()
        if number:
            before = time.monotonic()
            document["probe"] = learner.question.probe(learner, document)
            document["wall_s"]["probe"] = time.monotonic() - before
            decision = decide([*history, document], self.spec.decide, learner.question.criterion)
            elapsed = self.folder.add_learning_time(time.monotonic() - started)
            document["decision"] = decision.to_dict() | {"end": decision.stop}
            if not decision.stop and (spent := self._spent(learner, number, elapsed)):
                document["decision"] |= {"end": True, "reasons": [*spent, *decision.reasons]}
        else:
            self.folder.add_learning_time(time.monotonic() - started)
        self.folder.write_round(document)
        return document

    def _spent(self, learner: Learner, number: int, elapsed_s: float) -> list[str]:
        """Return which budget is spent, a sentence each."""
        budget, spent = self.spec.budget, []
        if learner.n_left < self.spec.select.held_out + 1:
            spent.append(f"the budget of {budget.labels} labels is spent")
        if number >= budget.rounds:
            spent.append(f"the budget of {budget.rounds} rounds is spent")
        if elapsed_s > budget.hours * 3600:
            spent.append(f"the budget of {budget.hours:g} hours is spent")
        return spent

    def answer(self) -> dict[str, Any]:
        """Return the answer; what it rests on, production or bands and their checks, is run where it is missing.

        Raises
        ------
        InputError
            When learning has not ended: exhaust `rounds` first.
        """
        if (known := self.folder.answer()) is not None:
            return known
        with self._session() as learner:
            last = self._last_round()
            if last is None:
                raise InputError(f"{self.folder.path}: learning has not ended, expected all rounds: run it first")
            learner.take(last)
            document = learner.question.answer(self.folder, learner, last)
            self.folder.write_answer(document)
            return document

    def _last_round(self) -> dict[str, Any] | None:
        for number in range(self.spec.budget.rounds + 1):
            document = self.folder.round(number)
            if document is None:
                return None
            if document["decision"] is not None and document["decision"]["end"]:
                return document
        return None

    @contextmanager
    def _session(self) -> Iterator[Learner]:
        """Hold the folder and its lanes; a call inside another shares them."""
        if self._learner is not None:
            yield self._learner
            return
        question_of(self.spec).starts()  # refuses what cannot be built, before a folder is made for it
        with self.folder.opened(self.spec) as dataset, Engine(self.folder.path, self._engine_spec) as engine:
            self._learner = Learner(self.spec, self.folder, dataset, engine, self._say)
            try:
                yield self._learner
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise
                raise RunError(
                    f"{self.folder.path}: {error.strerror}, expected room for what comes: free some space, the same "
                    "call goes on where it was"
                ) from error
            finally:
                self._learner = None
