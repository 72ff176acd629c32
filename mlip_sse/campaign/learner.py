"""One round after the other: explore, select, label, fit; every long step a task that is never done twice."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.campaign.decision import alarm_share
from mlip_sse.campaign.folder import CampaignFolder
from mlip_sse.campaign.learning import FITTED_FOLDER, fit_inputs, fit_work
from mlip_sse.campaign.questions import question_of
from mlip_sse.campaign.seeds import (
    HELD_OUT_EVERY,
    number_from,
    relaxation_inputs,
    relaxation_work,
    seed_frames,
)
from mlip_sse.campaign.selection import Pool, frame_scores, held_out_frames, last_looks, select_frames
from mlip_sse.campaign.specs import LearningSpec
from mlip_sse.dataset import Dataset, LabelledFrame
from mlip_sse.engine import Engine, Progress, Work
from mlip_sse.errors import InputError, RunError
from mlip_sse.md_protocols.exploration import Looks, load_looks
from mlip_sse.potentials.training_data.starts import plain_structure, structure_of
from mlip_sse.references import load_reference

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["Learner", "Visit"]

_LAST_LOOKS = 2
"""Of a run that broke, these come first: the grade gave little warning of what happened there."""

_LEAST_LABELLED = 0.5
"""Of the frames of a step; with fewer the reference, not a frame, is at fault."""

_MOST_FURTHER = 0.5
"""Of the frames of a round, for those that the question wants beside the looks."""

_HELD_OUT_KINDS = ("strained", "rattled", "displaced")

Say = Callable[[str, Progress], None]


@dataclass(frozen=True, eq=False)
class Visit:
    """What one run saw: its start, for the species, and its looks."""

    start: "Atoms"
    looks: Looks


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
    starts: "list[Atoms]" = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reference = load_reference(self.spec.reference)
        self.question = question_of(self.spec)
        self.recipe = self.folder.kept_recipe(recipe_of(self.spec, self.question.temperatures_k))

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

    def finish(self, name: str) -> None:
        """Fit another recipe to all labels, whose potential gives the answer: a network after the POD that explored.

        Parameters
        ----------
        name
            Of the recipe, or its path.
        """
        if self.final_potential is not None:
            return
        recipe = recipe_of(self.spec.model_copy(update={"potential": name}), self.question.temperatures_k)
        inputs = fit_inputs(recipe, self.train, self.held_out, (self.train, self.held_out), None)
        work = fit_work(self.dataset.folder, None)
        outcomes = self.engine.run(
            "train", work, [inputs], min_success=1.0, progress=self._told("fitting the final one")
        )
        self.final_potential = outcomes[0].folder.path / FITTED_FOLDER

    # The seeds

    def seed(self) -> dict[str, Any]:
        """Label the seeds and fit to them; return the document of round 0."""
        clock = _Clock()
        self.reference.require_ready()
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
            frames += seed_frames(self.spec, self.starts[k], name)
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
        chosen, held, selection = self.pick(number, exploration, visits, len(further))
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
                "duration_ps": explore.segment_ps,
                "timestep_fs": explore.timestep_fs,
                "ensemble": segment.ensemble,
                "pressure_gpa": 0.0,
                "seed": segment.seed,
                "look_every_fs": explore.look_every_fs,
                "stop_error_ev_a": explore.stop_error_ev_a,
                "mobile": self.spec.mobile,
                "shell_a": self.spec.select.shell_a,
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
        return documents, visits

    def pick(
        self, number: int, exploration: Sequence[Mapping[str, Any]], visits: Sequence[Visit], n_further: int = 0
    ) -> "tuple[list[Atoms], list[Atoms], dict[str, Any]]":
        """Choose the frames of a round to train on, and the random ones that never train.

        Parameters
        ----------
        number, exploration, visits
            Of the round.
        n_further
            Frames that are labelled in any case.
        """
        wanted, n_left = self.spec.select, self.n_left - n_further
        pool, frames = self._pool(number, exploration, visits)
        if pool is None:
            return self._nothing_seen(number, n_left)
        n_held = min(wanted.held_out, n_left // 3)
        held = held_out_frames(pool, n_held, taken=(), seed=number_from(self.spec.seed, number, "held out"))
        n_wanted = max(0, min(wanted.frames - n_further, n_left - len(held)))
        free = np.setdiff1d(np.arange(len(frames)), held)
        candidates, last = free, np.empty(0, dtype=np.intp)
        if wanted.strategy == "committee":
            broken = [k for k, segment in enumerate(exploration) if _broke(segment)]
            last = np.setdiff1d(last_looks(pool, broken, _LAST_LOOKS), held)
            candidates = np.union1d(self._candidates(pool, free, n_wanted), last)
        part = pool.taken(candidates)
        picked = candidates[
            select_frames(
                part,
                min(n_wanted, len(candidates)),
                strategy=wanted.strategy,
                per_segment=wanted.per_segment,
                first=np.flatnonzero(np.isin(candidates, last)).tolist(),
                seed=number_from(self.spec.seed, number, "select"),
            )
        ]
        selection = {
            "strategy": wanted.strategy,
            "n_looks": len(frames),
            "n_candidates": len(candidates),
            "n_selected": len(picked),
            "n_held_out": len(held),
            "n_further": n_further,
            "spreads_ev_a": [round(score, 4) if np.isfinite(score) else None for score in pool.scores.tolist()],
        }
        return [frames[k] for k in picked], [frames[k] for k in held], selection

    def _nothing_seen(self, number: int, n_left: int) -> "tuple[list[Atoms], list[Atoms], dict[str, Any]]":
        """Return new seeds where every run ended at its first look: the potential knows too little to move at all."""
        spec = self.spec.model_copy(update={"seed": number_from(self.spec.seed, number, "seeds") % 2**31})
        drawn = [
            each for k, atoms in enumerate(self.starts) for each in seed_frames(spec, atoms, f"round {number} {k}")
        ]
        wanted = self.spec.select
        n_held = min(wanted.held_out, n_left // 3)
        chosen = drawn[: max(0, min(len(drawn), wanted.frames + wanted.held_out, n_left))]
        selection = {"strategy": "seeds", "n_looks": 0, "n_candidates": len(drawn), "n_selected": len(chosen) - n_held}
        held = chosen[:: max(1, len(chosen) // max(1, n_held))][:n_held]
        places = {id(atoms) for atoms in held}
        return [each for each in chosen if id(each) not in places], held, selection | {"n_held_out": len(held)}

    def _pool(
        self, number: int, exploration: Sequence[Mapping[str, Any]], visits: Sequence[Visit]
    ) -> "tuple[Pool | None, list[Atoms]]":
        """Return all looks of a round as one pool, and as structures with group and place; None without any."""
        frames: list[Atoms] = []
        scores: list[float] = []
        for segment, visit in zip(exploration, visits, strict=True):
            seen, symbols = visit.looks, visit.start.get_chemical_symbols()
            for place in range(len(seen)):
                atoms = visit.start.copy()
                atoms.set_cell(seen.cells[place])
                atoms.set_positions(seen.positions[place])
                atoms.info = {"group": f"round {number} {segment['name']}", "place": place}
                frames.append(atoms)
                scores.append(self._score(seen, place, symbols))
        counts = [len(visit.looks) for visit in visits]
        if not frames:
            return None, []
        told = [(each["looks"], slice(0, n)) for each, n in zip(exploration, counts, strict=True) if n]
        pool = Pool(
            features=np.concatenate([visit.looks.features for visit in visits if len(visit.looks)]),
            scores=np.array(scores),
            excess=np.concatenate([looks["excess"][part] for looks, part in told]),
            segments=np.repeat(np.arange(len(visits)), counts),
            times=np.concatenate([looks["time_ps"][part] for looks, part in told]),
        )
        return pool, frames

    def _score(self, seen: Looks, place: int, symbols: list[str]) -> float:
        """Return the score of a look; NaN where the committee was not asked."""
        spread = seen.forces_std[place]
        if not np.isfinite(spread).all():
            return float("nan")
        shell = self.spec.select.shell_a
        return frame_scores(spread, symbols, seen.positions[place], seen.cells[place], self.spec.mobile, shell)

    @staticmethod
    def _candidates(pool: Pool, free: NDArray[np.int64], n_wanted: int) -> NDArray[np.int64]:
        """Return the looks above the alarm; where they are few, those with the largest spread beside them."""
        above = free[pool.excess[free] > 1.0]
        rest = np.setdiff1d(free, above)
        n_more = max(0, n_wanted - len(above))
        by_spread = rest[np.argsort(-np.nan_to_num(pool.scores[rest]), kind="stable")][: 4 * n_more]
        found: NDArray[np.int64] = np.sort(np.concatenate([above, by_spread]))
        return found

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
        self.dataset.add(labels)
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
                "digest": self.digest,
                "starts": [plain_structure(atoms) for atoms in self.starts],
            },
        }

    def _told(self, stage: str) -> Callable[[Progress], None]:
        return lambda progress: self.say(stage, progress)


def _broke(segment: Mapping[str, Any]) -> bool:
    """Return whether the atoms, not the doubt of the potential, ended a run."""
    return segment["ended"] is not None and segment["ended"]["kind"] not in ("grade", "error_bound")


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


def recipe_of(spec: LearningSpec, temperatures_k: tuple[float, float]) -> dict[str, Any]:
    """Return the recipe of a campaign as plain data, its domain as wide as the campaign goes.

    Parameters
    ----------
    spec
        The campaign.
    temperatures_k
        The coldest and the hottest.

    Raises
    ------
    InputError
        When the recipe is of a family that takes no frames.
    """
    from mlip_sse.catalogue import resolve
    from mlip_sse.potentials.fit_specs import FittedSpec
    from mlip_sse.specs import load_spec

    recipe = load_spec(resolve("potentials", spec.potential), "potential")
    if not isinstance(recipe, FittedSpec):
        raise InputError(
            f"potential: found {spec.potential!r}, which has nothing to fit, expected a recipe such as pod"
        )
    domain = recipe.domain.model_copy(update={"temperature_k": temperatures_k})
    plain = recipe.model_copy(update={"domain": domain, "data": None}).model_dump(mode="json", exclude_none=True)
    return plain
