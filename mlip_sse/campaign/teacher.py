"""The teacher check: dynamics with the reference itself at the highest temperature, from frames of the student's."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mlip_sse.analysis.results import Interval, to_plain
from mlip_sse.campaign.production import Production
from mlip_sse.campaign.seeds import number_from
from mlip_sse.campaign.specs import CampaignSpec
from mlip_sse.campaign.teacher_comparison import compare
from mlip_sse.campaign.teacher_md import md_inputs, md_work, read_run, speed_of
from mlip_sse.engine import Engine
from mlip_sse.engine import Progress as TaskProgress
from mlip_sse.references import Reference
from mlip_sse.trajectory.model import Trajectory

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["TeacherCheck", "frames_along", "teach"]

_RUNS = 2
_LEAST_PS = 0.5
_EVERY_FS = 20.0
_WARM_UP_PS = 0.3


@dataclass(frozen=True, eq=False)
class TeacherCheck:
    """What dynamics with the reference said.

    Parameters
    ----------
    temperature_k, duration_ps
        Of the teacher's runs, all together.
    student_cm2_s, teacher_cm2_s
        D over the whole runs; the teacher's is a limit, or None, where its runs do not carry it.
    windows_cm2_s
        D of the student in windows of the length of one of the teacher's runs: what 95 % of them span.
    agree
        Whether D and all first peaks agree.
    chance_factor
        The factor in D, or in squared displacements, that chance allows: what a disagreement must exceed to be seen.
    rdf
        g(r) of each pair of elements: ``r_a``, ``student``, ``teacher``, ``peak_shift_a``, and ``peak_chance_a``: how
        far windows as long as the teacher's runs let the peak move.
    reasons
        In words.
    n_steps, atom_steps_s
        Steps of the teacher, and its speed.
    """

    temperature_k: float
    duration_ps: float
    student_cm2_s: Interval | None
    teacher_cm2_s: Interval | None
    windows_cm2_s: Interval | None
    agree: bool
    rdf: Mapping[str, Mapping[str, Any]]
    reasons: tuple[str, ...] = ()
    chance_factor: float | None = None
    n_steps: int = 0
    atom_steps_s: float | None = field(default=None)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data as `answer.json` holds it."""
        moves = ("student_cm2_s", "teacher_cm2_s", "windows_cm2_s", "chance_factor")
        names = ("temperature_k", "duration_ps", *moves, "agree", "rdf", "reasons")
        return {name: to_plain(getattr(self, name)) for name in names}


def teach(
    spec: CampaignSpec,
    produced: Production,
    reference: Reference,
    engine: Engine,
    *,
    longer: float = 1.0,
    say: Callable[[str, TaskProgress], None] | None = None,
) -> TeacherCheck | None:
    """Run dynamics with the reference at the highest temperature, in the student's cell, and compare.

    Parameters
    ----------
    spec
        The campaign; ``production.teacher_ps`` is shared by two runs, so that two cores are at work.
    produced
        What the student did.
    reference
        The teacher.
    engine
        Its label lane does the runs.
    longer
        Times ``production.teacher_ps``.
    say
        Called with ``teacher`` as runs end.

    Returns
    -------
    TeacherCheck
        None where no teacher's dynamics was asked for, or the reference cannot do any.
    """
    if not reference.is_calculator or spec.production.teacher_ps <= 0:
        return None
    kelvin = max(spec.temperatures_k)
    student = [
        Trajectory.read(run.trajectory, temperature_k=kelvin)
        for run in produced.runs
        if run.temperature_k == kelvin and run.ended is None
    ]
    if not student:
        return TeacherCheck(kelvin, 0.0, None, None, None, False, {}, (f"no run of the student at {kelvin:g} K",))
    inputs = _inputs(spec, student, reference, kelvin, longer * spec.production.teacher_ps)
    told = None if say is None else (lambda state: say("teacher", state))
    done = engine.run("label", md_work(reference.spec), inputs, progress=told)
    folders = [outcome.folder.path for outcome in done]
    speed, n_steps = speed_of(folders, student[0].n_atoms)
    failures = [f"failed: {outcome.failure.reason}" for outcome in done if outcome.failure is not None]
    results = [outcome.result() for outcome in done if outcome.is_done]
    ends = [result["ended"] for result in results if result["ended"] is not None]
    failures += [f"ended early: {each['kind']}, {each['reason']}" for each in ends]
    if failures:
        reason = f"dynamics with the reference {failures[0]}"
        return TeacherCheck(kelvin, 0.0, None, None, None, False, {}, (reason,), None, n_steps, speed)
    teacher = [read_run(*each) for each in zip(folders, inputs, results, strict=True)]
    found = compare(student, teacher, spec.mobile, kelvin)
    return TeacherCheck(**{**found, "n_steps": n_steps, "atom_steps_s": speed})


def _inputs(
    spec: CampaignSpec, student: Sequence[Trajectory], reference: Reference, kelvin: float, duration_ps: float
) -> list[dict[str, Any]]:
    """Return the teacher's runs, which share the time and start where runs of the student ended or began."""
    n_runs = _RUNS if duration_ps >= _RUNS * _LEAST_PS else 1
    identity = reference.identity()
    return [
        md_inputs(
            identity,
            _frame(student[k % len(student)], -1 if k < len(student) else 0),
            temperature_k=kelvin,
            duration_ps=duration_ps / n_runs,
            timestep_fs=spec.explore.timestep_fs,
            every_fs=_every_fs(spec),
            warm_up_ps=_WARM_UP_PS,
            seed=number_from(spec.seed, "teacher", k),
        )
        for k in range(n_runs)
    ]


def _every_fs(spec: CampaignSpec) -> float:
    """Return the time between frames of the teacher: of the student's divided by a whole number, near to 20 fs."""
    timestep = spec.explore.timestep_fs
    steps = round(spec.production.dump_every_fs / timestep)
    divisors = [each for each in range(1, steps + 1) if steps % each == 0]
    return timestep * min(divisors, key=lambda each: (abs(each * timestep - _EVERY_FS), each))


def frames_along(produced: Production, n_frames: int) -> "list[Atoms]":
    """Return frames spread evenly over the student's finished runs, the last of each run at the latest.

    Parameters
    ----------
    produced
        What the student did.
    n_frames
        How many.
    """
    runs = [run for run in produced.runs if run.ended is None]
    if not runs:
        return []
    read: dict[int, Trajectory] = {}
    frames = []
    for k in range(n_frames):
        number, part = k % len(runs), (k // len(runs) + 1) / -(-n_frames // len(runs))
        if number not in read:
            read[number] = Trajectory.read(runs[number].trajectory)
        atoms = _frame(read[number], round(part * (read[number].n_frames - 1)))
        atoms.info = {"group": f"production {runs[number].name}", "place": k}
        frames.append(atoms)
    return frames


def _frame(trajectory: Trajectory, index: int) -> "Atoms":
    from ase import Atoms

    positions = np.asarray(trajectory.positions[index], dtype=np.float64)
    return Atoms(trajectory.species.tolist(), positions=positions, cell=trajectory.cells[index], pbc=True)
