"""One round after the other: explore, select, label, fit; every long step a task that is never done twice."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlip_sse.campaign.decision import alarm_share
from mlip_sse.campaign.final_recipe import final_recipe, require_runnable
from mlip_sse.campaign.folder import CampaignFolder
from mlip_sse.campaign.learning import FITTED_FOLDER, fit_inputs, fit_work, recipe_of
from mlip_sse.campaign.learning_specs import LearningSpec
from mlip_sse.campaign.picking import Picker, Visit
from mlip_sse.campaign.questions import question_of
from mlip_sse.campaign.seeds import (
    HELD_OUT_EVERY,
    relaxation_inputs,
    relaxation_work,
)
from mlip_sse.dataset import Dataset, LabelledFrame
from mlip_sse.engine import Engine, Progress, Work
from mlip_sse.errors import InputError, RunError
from mlip_sse.md_protocols.exploration import load_looks
from mlip_sse.potentials.training_data.starts import plain_structure, structure_of
from mlip_sse.references import load_reference

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["Learner"]

_FAR = 0.5
"""Of their length; runs that do not come that far are made shorter."""

_LEAST_LABELLED = 0.5
"""Of the frames of a step; with fewer the reference, not a frame, is at fault."""

_MOST_FURTHER = 0.5
"""Of the frames of a round, for those that the question wants beside the looks."""

_HELD_OUT_KINDS = ("strained", "rattled", "displaced")

Say = Callable[[str, Progress], None]


@dataclass
class Learner:
    """The state of learning: what is labelled, and the potential that knows it.

    Parameters
    ----------
    spec, folder, dataset, engine
        What the campaign is, where it lies, its labels, and its lanes.
    say
        Called with a stage and its progress as tasks end.
    """

    spec: LearningSpec
    folder: CampaignFolder
    dataset: Dataset
    engine: Engine
    say: Say
    train: list[str] = field(default_factory=list)
    held_out: list[str] = field(default_factory=list)
    new: tuple[list[str], list[str]] = field(default_factory=lambda: ([], []))
    potential: Path | None = None
    final_potential: Path | None = None
    digest: str | None = None
    n_calls: int = 0
    reach: float = 0.0
    length_ps: float = 0.0
    starts: "list[Atoms]" = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reference = load_reference(self.spec.reference)
        self.question = question_of(self.spec)
        self.recipe = self.folder.kept_recipe(recipe_of(self.spec, self.question.temperatures_k))
        self.final_recipe = final_recipe(self.spec, self.question.temperatures_k)

    @property
    def n_left(self) -> int:
        """Labels that the budget leaves."""
        return self.spec.budget.labels - self.n_calls

    @property
    def fitted(self) -> Path:
        """The folder of the potential.

        Raises
        ------
        InputError
            When nothing is fitted yet.
        """
        if self.final_potential is not None:
            return self.final_potential
        if self.potential is None:
            raise InputError("found no potential yet, expected the seeds to be labelled and fitted first")
        return self.potential

    def finish(self) -> None:
        """Fit the spec's ``final`` recipe, where it names one, to all labels: its potential gives the answer.

        The recipe may change until then, as a training that failed asks for: no label depends on it.
        """
        if self.final_recipe is None or self.final_potential is not None:
            return
        require_runnable(self.final_recipe)  # a campaign may come from another machine
        inputs = fit_inputs(self.final_recipe, self.train, self.held_out, (self.train, self.held_out), None)
        work, told = fit_work(self.dataset.folder, None), self._told("fitting the final one")
        outcomes = self.engine.run("train", work, [inputs], min_success=1.0, progress=told)
        self.final_potential = outcomes[0].folder.path / FITTED_FOLDER

    # The seeds

    def seed(self) -> dict[str, Any]:
        """Label the seeds and fit to them; return the document of round 0."""
        clock = _Clock()
        self.reference.require_ready()
        if self.final_recipe is not None:
            require_runnable(self.final_recipe)
        self.starts = self.question.starts()
        frames: list[Atoms] = []
        names = ["start"] if len(self.starts) == 1 else [f"start-{k + 1}" for k in range(len(self.starts))]
        relaxed = self.spec.seeds.relax_steps and self.reference.is_calculator
        paths, failures = self._relaxed() if relaxed else (None, [])
        for k, name in enumerate(names):
            if paths is not None:
                path = [structure_of(each) for each in paths[k]]
                self.starts[k] = path[-1] if path else self.starts[k]
                for place, atoms in enumerate(path):
                    atoms.info = {"group": f"{name} relaxation", "place": place}
                frames += path
            frames += self.question.seeds_around(self.starts[k], k, name)
        frames += self.question.more_seeds()
        clock.split("explore")
        labels, report = self._labelled(frames)
        report["failures"] = [*failures, *report["failures"]]
        clock.split("label")
        for frame in labels:
            drawn = any(frame.group.endswith(kind) for kind in _HELD_OUT_KINDS)
            is_held = drawn and frame.place % HELD_OUT_EVERY == HELD_OUT_EVERY - 1
            (self.new[1] if is_held else self.new[0]).append(frame.id)
        measured = self.fit()
        clock.split("fit")
        return self._document(0, [], {"strategy": "seeds", "n_candidates": len(frames)}, report, measured, clock)

    def _relaxed(self) -> tuple[list[list[dict[str, Any]]], list[dict[str, Any]]]:
        """Return the path of each start, and what failed: such a start stays as it is."""
        identity = self.reference.identity()
        inputs = [relaxation_inputs(identity, atoms, self.spec.seeds.relax_steps) for atoms in self.starts]
        work = relaxation_work(self.reference.spec, self.spec.seeds.relax_steps)
        outcomes = self.engine.run("label", work, inputs, progress=self._told("relaxing"))
        paths: list[list[dict[str, Any]]] = []
        failures = []
        for atoms, outcome in zip(self.starts, outcomes, strict=True):
            result = outcome.result() if outcome.is_done else {}
            paths.append(result.get("path", []))
            self.n_calls += int(result.get("n_calls", self.spec.seeds.relax_steps + 1))
            if outcome.failure is not None:
                reason = f"relaxation of the start: {outcome.failure.reason}"
                failures.append({"frame": _name(atoms), "reason": reason})
        return paths, failures

    # A round

    def learn(self, number: int) -> dict[str, Any]:
        """Explore, select, label and fit; return the document of the round, without probe and decision."""
        clock = _Clock()
        exploration, visits = self.explore(number)
        further = self.question.further_frames(self, number)
        clock.split("explore")
        further = further[: min(round(_MOST_FURTHER * self.spec.select.frames), self.n_left // 2)]
        picker = Picker(self.spec, self.starts, number, self.n_left - len(further), len(further))
        chosen, held, selection = picker.pick(exploration, visits)
        clock.split("select")
        labels, report = self._labelled([*further, *chosen, *held])
        clock.split("label")
        known = {*self.train, *self.held_out}
        held_groups = {atoms.info["group"] + f" {atoms.info['place']}" for atoms in held}
        for frame in labels:
            if frame.id not in known:
                is_held = f"{frame.group} {frame.place}" in held_groups
                (self.new[1] if is_held else self.new[0]).append(frame.id)
        measured = self.fit()
        clock.split("fit")
        return self._document(number, exploration, selection, report, measured, clock)

    def explore(self, number: int) -> tuple[list[dict[str, Any]], list[Visit]]:
        """Run the segments of a round; return what the round's file says of each, and what they saw."""
        explore, segments = self.spec.explore, self.question.segments(self.starts, number, self.reach)
        inputs = [
            {
                "kind": "segment",
                "potential": self.digest,
                "start": plain_structure(segment.start),
                "temperatures_k": list(segment.temperatures_k),
                "duration_ps": self.length_ps or explore.segment_ps,
                "timestep_fs": explore.timestep_fs,
                "ensemble": segment.ensemble,
                "pressure_gpa": 0.0,
                "seed": segment.seed,
                "look_every_fs": explore.look_every_fs,
                "stop_error_ev_a": explore.stop_error_ev_a,
                "mobile": self.spec.mobile,
                "shell_a": self.spec.select.shell_a,
                **({"is_reactive": True} if segment.is_reactive else {}),
            }
            for segment in segments
        ]
        settings = {"potential": str(self.fitted)}
        work = Work("mlip_sse.md_protocols.exploration.tasks:start", settings, 6 * 3600.0, "exploration")
        told = self._told(f"exploring, round {number}")
        outcomes = self.engine.run("md", work, inputs, min_success=_LEAST_LABELLED, progress=told)
        documents, visits = [], []
        for segment, outcome in zip(segments, outcomes, strict=True):
            if not outcome.is_done:
                continue
            result = outcome.result()
            facts: dict[str, Any] = {"name": segment.name, "temperatures_k": list(segment.temperatures_k)}
            facts |= {"ensemble": segment.ensemble, "seed": segment.seed}
            facts |= {key: result[key] for key in ("wanted_ps", "reached_ps", "ended", "looks")}
            documents.append(facts)
            visits.append(Visit(segment.start, load_looks(outcome.folder.path, result)))
        self.reach = sum(each["reached_ps"] for each in documents) / sum(each["wanted_ps"] for each in documents)
        self._lengthen(all(each["ended"] is None for each in documents))
        return documents, visits

    def _lengthen(self, all_whole: bool) -> None:
        """Set the length of the next runs: twice as long where all came to their end, half where few did."""
        explore, length = self.spec.explore, self.length_ps or self.spec.explore.segment_ps
        if all_whole:
            self.length_ps = max(length, min(2 * length, explore.longest_ps))
        elif self.reach < _FAR:
            self.length_ps = max(0.5 * length, explore.segment_ps)

    # Labels and fits

    def _labelled(self, frames: "Sequence[Atoms]") -> tuple[list[LabelledFrame], dict[str, Any]]:
        """Label frames and put those that passed the gates into the dataset, in their order."""
        started = time.monotonic()
        told = self._told("labelling")
        labels = self.reference.label(
            list(frames),
            self.engine.tasks,
            lane=self.engine.lane("label"),
            progress=lambda done, of: told(Progress(of, 0, 0, done, 0)),
        )
        if frames and len(labels) < _LEAST_LABELLED * len(frames):
            reasons = "; ".join(dict.fromkeys(failure.reason for failure in labels.failures))
            raise RunError(
                f"{len(labels.failures)} of {len(frames)} labels failed, expected labels of at least "
                f"{_LEAST_LABELLED:.0%}: {reasons[:300]}"
            )
        self.n_calls += len(frames)
        self.dataset.add(labels, check_stress=False)
        report = {
            "n_asked": len(frames),
            "n_labelled": len(labels),
            "n_failed": len(labels.failures),
            "failures": [
                {"frame": _name(frames[failure.number]), "reason": failure.reason} for failure in labels.failures
            ],
            "n_total": len(self.dataset),
            "n_reference_calls": self.n_calls,
            "wall_s": time.monotonic() - started,
        }
        return list(labels), report

    def fit(self) -> dict[str, Any]:
        """Fit what is new; return errors and coverage."""
        self.train += self.new[0]
        self.held_out += self.new[1]
        inputs = fit_inputs(self.recipe, self.train, self.held_out, self.new, self.digest)
        work = fit_work(self.dataset.folder, self.potential)
        outcomes = self.engine.run("train", work, [inputs], min_success=1.0, progress=self._told("fitting"))
        result: dict[str, Any] = outcomes[0].result()
        self.potential = outcomes[0].folder.path / FITTED_FOLDER
        self.digest = result["digest"]
        self.new = ([], [])
        return result

    def take(self, document: Mapping[str, Any]) -> None:
        """Go on from a round that an earlier call finished."""
        state = document["state_of_learning"]
        self.train, self.held_out = list(state["train"]), list(state["held_out"])
        self.n_calls, self.digest, self.reach = int(state["n_calls"]), str(state["digest"]), float(state["reach"])
        self.length_ps = float(state.get("length_ps", 0.0))
        self.potential = self.folder.path / str(document["potential"]["path"])
        self.starts = [structure_of(each) for each in state["starts"]]
        if not self.potential.is_dir():
            raise InputError(f"{self.potential}: found no potential, expected that of round {document['number']}")

    def _document(
        self,
        number: int,
        exploration: list[dict[str, Any]],
        selection: dict[str, Any],
        labels: dict[str, Any],
        measured: Mapping[str, Any],
        clock: "_Clock",
    ) -> dict[str, Any]:
        return {
            "number": number,
            "state": "done",
            "potential": {
                "name": f"round {number}",
                "path": self.folder.relative(self.fitted),
                "n_train": len(self.train),
                "n_held_out": len(self.held_out),
            },
            "exploration": exploration,
            "alarm_share": alarm_share(exploration, self.question.asked_k),
            "selection": selection,
            "labels": labels,
            **{key: measured.get(key) for key in ("prior_errors", "errors", "parity", "coverage")},
            "probe": None,
            "decision": None,
            "wall_s": clock.seconds,
            "dataset_sha256": self.dataset.digest,
            "state_of_learning": {
                "train": list(self.train),
                "held_out": list(self.held_out),
                "n_calls": self.n_calls,
                "reach": self.reach,
                "length_ps": self.length_ps,
                "digest": self.digest,
                "starts": [plain_structure(atoms) for atoms in self.starts],
            },
        }

    def _told(self, stage: str) -> Callable[[Progress], None]:
        return lambda progress: self.say(stage, progress)


def _name(atoms: "Atoms") -> str:
    """Return what a frame is called: its group, its place, its formula."""
    info = atoms.info
    return f"{info.get('group', '')} {info.get('place', '')} {atoms.get_chemical_formula()}".strip()


class _Clock:
    """Wall time of the steps of a round, in s."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.monotonic()

    def split(self, name: str) -> None:
        """Count the time since the last split for a step."""
        now = time.monotonic()
        self.seconds[name] = self.seconds.get(name, 0.0) + now - self._since
        self._since = now
