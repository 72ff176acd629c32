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

from mlip_sse.analysis.results import Quality, Verdict, to_plain
from mlip_sse.analysis.temperature_series import temperature_series
from mlip_sse.analysis.transport.temperature.planner import plan_value_at
from mlip_sse.campaign.error_budget import ErrorBudget
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

__all__ = ["Evidence", "answer_of", "check_forces", "find_answer"]

Say = Callable[[str, TaskProgress], None]

_NAMES = ("activation_energy_ev", "conductivity_300k_ms_cm", "diffusivity_300k_cm2_s")
_CHECKED_FRAMES = 12
_CHECKED_FRAMES_DFT = 6
_SHARP_FACTOR = 1.3


@dataclass(frozen=True, eq=False)
class Evidence:
    """All that an answer rests on.

    Parameters
    ----------
    produced, budget
        The dynamics, and what it may be off by.
    teacher
        None where there was no dynamics with the reference.
    softening
        None where fewer than two frames of the dynamics could be labelled.
    force_rmse_ev_a
        On those frames.
    learning_stopped
        Whether learning ended because the answer stood.
    learning_reasons
        Why it ended, or what was missing.
    labels
        How many of which kind.
    """

    produced: Production
    budget: ErrorBudget
    teacher: TeacherCheck | None
    softening: Softening | None
    force_rmse_ev_a: float | None
    learning_stopped: bool
    learning_reasons: Sequence[str]
    labels: Mapping[str, Any]


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
    checked, softening, rmse = check_forces(learner, produced)
    teacher = teach(spec, produced, learner.reference, learner.engine, say=say)
    evidence = Evidence(
        produced,
        produced.budget(),
        teacher,
        softening,
        rmse,
        bool(last["decision"]["stop"]),
        list(last["decision"]["reasons"]),
        {
            "n_labelled": int(last["labels"]["n_total"]),
            "n_reference_calls": learner.n_calls,
            "n_checked": checked,
            "n_reference_md_steps": 0 if teacher is None else teacher.n_steps,
        },
    )
    return answer_of(spec, evidence)


def check_forces(learner: "Learner", produced: Production) -> tuple[int, Softening | None, float | None]:
    """Label frames along the dynamics; return how many, the softening slope, and the force error in eV/Å.

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
        return len(labels), None, None
    found = [each.forces for each in predict(load_potential(learner.fitted), labels)]
    squared = sum(float(((mine - frame.forces) ** 2).sum()) for mine, frame in zip(found, labels, strict=True))
    rmse = math.sqrt(squared / sum(frame.forces.size for frame in labels))
    softening = softening_of([frame.symbols for frame in labels], found, [frame.forces for frame in labels])
    return len(labels), softening, rmse


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
    softening = None
    if evidence.softening is not None:
        softening = {**evidence.softening.to_dict(), "force_rmse_ev_a": evidence.force_rmse_ev_a}
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
    """Return the quality of the numbers; a teacher that contradicts, or no committee, makes them weak."""
    verdict = evidence.budget.verdict
    for reason in evidence.produced.reasons:
        verdict = verdict.weaken(reason)
    if evidence.teacher is not None and not evidence.teacher.agree:
        for reason in evidence.teacher.reasons:
            verdict = verdict.weaken(f"teacher check: {reason}")
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
