"""The answer of a campaign: production and teacher check run, every error in its interval, a verdict, what is missing.

It is *resolved* when Ea and σ(300 K) are there, learning stopped because nothing moved any more, the interval of
σ(300 K) lies within the factor asked for, and dynamics with the teacher does not contradict. Else it says what is
missing.
"""

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlip_sse.analysis.results import Interval, Quality, Verdict, to_plain
from mlip_sse.analysis.temperature_series import temperature_series
from mlip_sse.analysis.transport.temperature.planner import plan_value_at
from mlip_sse.campaign.error_budget import ErrorBudget
from mlip_sse.campaign.final_recipe import doubts
from mlip_sse.campaign.pressure_offset import is_far_off, pressure_offset_of
from mlip_sse.campaign.production import Production, produce
from mlip_sse.campaign.softening import Softening, softening_of
from mlip_sse.campaign.specs import CampaignSpec
from mlip_sse.campaign.teacher import TeacherCheck, frames_along, teach
from mlip_sse.engine import Progress as TaskProgress
from mlip_sse.errors import InputError
from mlip_sse.potentials import load_potential
from mlip_sse.potentials.model_errors import predict
from mlip_sse.potentials.whole_folder import folder_put_in_place
from mlip_sse.provenance import Provenance

if TYPE_CHECKING:
    from mlip_sse.campaign.folder import CampaignFolder
    from mlip_sse.campaign.learner import Learner
    from mlip_sse.dataset import LabelledFrame

__all__ = ["Checked", "Evidence", "answer_of", "check_frames", "find_answer"]

Say = Callable[[str, TaskProgress], None]

_NAMES = ("activation_energy_ev", "conductivity_300k_ms_cm", "diffusivity_300k_cm2_s")
_CHECKED_FRAMES = 12
_CHECKED_FRAMES_DFT = 6
_SHARP_FACTOR = 1.3
_SECOND_LOOK = 3.0
"""Times as long is the teacher's dynamics where the first contradicts, as it does by chance one time in twenty."""


@dataclass(frozen=True)
class Checked:
    """What labels along the dynamics say of the potential.

    Parameters
    ----------
    n_labelled
        How many frames were labelled; with fewer than two the rest is None.
    softening
        The slope of the forces.
    force_rmse_ev_a
        On those frames.
    pressure_offset_gpa
        Of the potential against the reference; None too where labels have no stress.
    """

    n_labelled: int
    softening: Softening | None = None
    force_rmse_ev_a: float | None = None
    pressure_offset_gpa: Interval | None = None


@dataclass(frozen=True, eq=False)
class Evidence:
    """All that an answer rests on.

    Parameters
    ----------
    produced, budget
        The dynamics, and what it may be off by.
    teacher
        None where there was no dynamics with the reference.
    checked
        Frames of the dynamics, labelled.
    learning_stopped
        Whether learning ended because the answer stood.
    learning_reasons
        Why it ended, or what was missing.
    labels
        How many of which kind.
    doubts
        Why the potential of the answer is worse than it could be.
    """

    produced: Production
    budget: ErrorBudget
    teacher: TeacherCheck | None
    checked: Checked
    learning_stopped: bool
    learning_reasons: Sequence[str]
    labels: Mapping[str, Any]
    doubts: Sequence[str] = ()


def find_answer(
    spec: CampaignSpec,
    folder: "CampaignFolder",
    learner: "Learner",
    last: Mapping[str, Any],
    *,
    say: Say | None = None,
) -> dict[str, Any]:
    """Run what the answer needs and return it; the potential and the trajectories get their names in the folder.

    Parameters
    ----------
    spec, folder
        The campaign.
    learner
        With the final potential.
    last
        The document of the last round.
    say
        Called as tasks end with their stage.
    """
    with folder_put_in_place(folder.potential) as partial:
        shutil.copytree(learner.fitted, partial, dirs_exist_ok=True)
    produced = produce(spec, learner.fitted, learner.starts[0], learner.engine, say=say)
    produced.link_into(folder.trajectories)
    checked = check_frames(learner, produced)
    teacher = _taught(spec, learner, produced, say)
    evidence = Evidence(
        produced,
        produced.budget(),
        teacher,
        checked,
        bool(last["decision"]["stop"]),
        list(last["decision"]["reasons"]),
        {
            "n_labelled": int(last["labels"]["n_total"]),
            "n_reference_calls": learner.n_calls,
            "n_checked": checked.n_labelled,
            "n_reference_md_steps": 0 if teacher is None else teacher.n_steps,
        },
        () if learner.final_potential is None else doubts(last["errors"], load_potential(learner.fitted)),
    )
    return answer_of(spec, evidence)


def _taught(spec: CampaignSpec, learner: "Learner", produced: Production, say: Say | None) -> TeacherCheck | None:
    """Return the teacher check, that of longer runs where the first contradicts."""
    found = teach(spec, produced, learner.reference, learner.engine, say=say)
    if found is None or found.agree or found.chance_factor is None:
        return found
    return teach(spec, produced, learner.reference, learner.engine, longer=_SECOND_LOOK, say=say)


def check_frames(learner: "Learner", produced: Production) -> Checked:
    """Label frames along the dynamics and hold the potential against them.

    Parameters
    ----------
    learner
        With the reference and the final potential.
    produced
        The dynamics.
    """
    n_frames = _CHECKED_FRAMES if learner.reference.is_calculator else _CHECKED_FRAMES_DFT
    frames = frames_along(produced, n_frames)
    engine = learner.engine
    labels: list[LabelledFrame] = list(
        learner.reference.label(frames, engine.tasks, lane=engine.lane("label")) if frames else ()
    )
    if len(labels) < 2:
        return Checked(len(labels))
    predictions = predict(load_potential(learner.fitted), labels)
    found = [each.forces for each in predictions]
    squared = sum(float(((mine - frame.forces) ** 2).sum()) for mine, frame in zip(found, labels, strict=True))
    rmse = math.sqrt(squared / sum(frame.forces.size for frame in labels))
    softening = softening_of([frame.symbols for frame in labels], found, [frame.forces for frame in labels])
    pairs = zip(predictions, labels, strict=True)
    stresses = [
        (mine.stress, frame.stress) for mine, frame in pairs if mine.stress is not None and frame.stress is not None
    ]
    offset = None
    if len(stresses) > 1:
        offset = pressure_offset_of([mine for mine, _ in stresses], [theirs for _, theirs in stresses])
    return Checked(len(labels), softening, rmse, offset)


def answer_of(spec: CampaignSpec, evidence: Evidence) -> dict[str, Any]:
    """Return the document of the answer, plain data.

    Parameters
    ----------
    spec
        The campaign.
    evidence
        What it rests on.
    """
    budget, produced, teacher = evidence.budget, evidence.produced, evidence.teacher
    series = temperature_series(produced.rows, wanted_factor_300k=spec.decide.factor_300k)
    fitted = series.arrhenius
    arrhenius = None
    if fitted is not None:
        numbers = {name: to_plain(getattr(fitted, name)) for name in _NAMES}
        arrhenius = {**numbers, **_plain_verdict(series.verdict)}
    is_resolved, lacking = _resolved(spec, evidence)
    student, theirs = produced.speed_atom_steps_s(), None if teacher is None else teacher.atom_steps_s
    checked, softening = evidence.checked, None
    if checked.softening is not None:
        softening = {**checked.softening.to_dict(), "force_rmse_ev_a": checked.force_rmse_ev_a}
    document: dict[str, Any] = {
        "question": spec.question,
        "verdict": "resolved" if is_resolved else "not resolved",
        **_plain_verdict(_verdict(evidence)),
        "trajectories": [run.row.to_dict() for run in produced.runs],
        "arrhenius": arrhenius,
        "temperatures": [each.to_dict() for each in budget.temperatures],
        **{name: to_plain(budget.interval(name)) for name in _NAMES},
        "haven_ratio": to_plain(budget.haven_ratio),
        "errors_apart": {name: to_plain(each.errors) for name, each in budget.quantities.items()},
        "teacher_check": None if teacher is None else teacher.to_dict(),
        "softening": softening,
        "pressure_offset_gpa": to_plain(checked.pressure_offset_gpa),
        "labels": dict(evidence.labels),
        "speed": {
            "student_atom_steps_s": student,
            "teacher_atom_steps_s": theirs,
            "ratio": None if student is None or not theirs else student / theirs,
        },
        "missing": [*lacking, *_improvements(spec, evidence)],
        "provenance": to_plain(Provenance(settings=spec.identity())),
    }
    return document


def _plain_verdict(verdict: Verdict) -> dict[str, Any]:
    return {"quality": str(verdict.quality), "reasons": list(dict.fromkeys(verdict.reasons))}


def _verdict(evidence: Evidence) -> Verdict:
    """Return the quality of the numbers; a teacher that contradicts, no committee, or wrong cells make them weak."""
    verdict = evidence.budget.verdict
    for reason in (*evidence.doubts, *evidence.produced.reasons):
        verdict = verdict.weaken(reason)
    if evidence.teacher is not None and not evidence.teacher.agree:
        for reason in evidence.teacher.reasons:
            verdict = verdict.weaken(f"teacher check: {reason}")
    offset = evidence.checked.pressure_offset_gpa
    if offset is not None and is_far_off(offset):
        size = "large" if offset.low > 0 else "small"
        verdict = verdict.weaken(
            f"the potential's pressure is {offset.value:+.2f} GPa off the reference's: its mean cells are too {size}"
        )
    return verdict


def _factor(budget: ErrorBudget) -> float | None:
    """Return the factor within which σ(300 K) is known, None where it is not."""
    sigma = budget.interval("conductivity_300k_ms_cm")
    if sigma is None or sigma.value is None:
        return None
    return max(sigma.high / sigma.value, sigma.value / sigma.low)


def _resolved(spec: CampaignSpec, evidence: Evidence) -> tuple[bool, list[str]]:
    """Return whether the answer stands, and what is missing where it does not, a sentence each."""
    budget, lacking = evidence.budget, []
    if not evidence.learning_stopped:
        lacking += [f"Learning ended before the answer stood: {reason}." for reason in evidence.learning_reasons]
    factor, wanted = _factor(budget), spec.decide.factor_300k
    refused = budget.verdict.quality is Quality.REFUSED
    if refused or budget.interval("activation_energy_ev") is None or factor is None:
        reasons = "; ".join(budget.verdict.reasons)
        lacking.append(f"There is no activation energy or no conductivity at 300 K: {reasons}.")
    elif factor > wanted:
        lacking.append(f"The conductivity at 300 K is known to a factor {factor:.3g}, expected {wanted:.3g} or better.")
    if evidence.teacher is not None and not evidence.teacher.agree:
        lacking.append(f"Dynamics with the reference does not confirm it: {'; '.join(evidence.teacher.reasons)}.")
    return not lacking and evidence.learning_stopped, lacking


def _improvements(spec: CampaignSpec, evidence: Evidence) -> list[str]:
    """Return what would make the answer better, a sentence each: time, labels, whichever the error comes from."""
    budget, sentences = evidence.budget, []
    for each in budget.temperatures:
        if each.errors is None:
            sentences.append(f"No diffusivity at {each.temperature_k:g} K: longer runs, or leave the temperature out.")
    found = budget.quantities.get("conductivity_300k_ms_cm") or budget.quantities.get("diffusivity_300k_cm2_s")
    if found is not None:
        errors = found.errors
        runs = errors.statistics**2 + (errors.seeds or 0.0) ** 2
        if errors.committee is None:
            sentences.append("What the labels leave open is not known: run at least two committee members.")
        elif errors.committee**2 > runs:
            share = errors.committee**2 / (errors.committee**2 + runs)
            sentences.append(
                f"{share:.0%} of the variance at 300 K comes from the potential: more labels make it better, more "
                "dynamics does not."
            )
    if (plan := _plan(spec, budget)) is not None:
        sentences.append(plan)
    factor = None if evidence.teacher is None else evidence.teacher.chance_factor
    if factor is not None and factor > _SHARP_FACTOR:
        sentences.append(
            f"The teacher check sees a diffusivity that is off by a factor {factor:.2f} or more: a longer "
            "production.teacher_ps sees less."
        )
    if evidence.teacher is None:
        sentences.append("No dynamics with the reference was run: forces alone confirm the potential.")
    return sentences


def _plan(spec: CampaignSpec, budget: ErrorBudget) -> str | None:
    """Return how much more dynamics brings the share of the runs within the factor asked for."""
    if budget.line is None or min(budget.durations_ns, default=0.0) <= 0.0:
        return None
    try:
        used = [ns for ns, is_used in zip(budget.durations_ns, budget.line.fit.used, strict=True) if is_used]
        return f"Dynamics: {plan_value_at(budget.line.fit, used, spec.decide.factor_300k - 1.0).sentence}."
    except InputError as error:
        return f"No plan for more dynamics: {error}."
