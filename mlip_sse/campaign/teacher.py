"""Student against teacher: diffusion and structure in dynamics with the reference itself, forces along the student's.

D of the teacher is the mean of its runs, each weighted by its own error. It agrees with the student's where the
logarithms are closer than √(h₁² + h₂²), the half-widths of both 95 % intervals on the sides that face each other. Where
the teacher's runs do not carry a diffusivity, the mean squared displacement of the mobile ions over half of their
length is held against that of windows of the student's runs of the same length, whose spread says what chance does.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from mlip_sse.analysis.results import Estimate, Interval, to_plain
from mlip_sse.analysis.structure import PairCounter, RadialDistribution, peak_position
from mlip_sse.analysis.structure.rdf import cell_widths
from mlip_sse.analysis.transport.transport import Transport
from mlip_sse.campaign.production import Production
from mlip_sse.campaign.seeds import number_from
from mlip_sse.campaign.specs import CampaignSpec
from mlip_sse.campaign.teacher_md import md_inputs, md_work, read_run, speed_of
from mlip_sse.engine import Engine
from mlip_sse.engine import Progress as TaskProgress
from mlip_sse.errors import InputError
from mlip_sse.references import Reference
from mlip_sse.trajectory.model import Trajectory

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["PEAK_BAR_A", "TeacherCheck", "compare", "frames_along", "teach"]

PEAK_BAR_A = 0.05
"""How far the first peak of g(r) may be off in Å."""

_RUNS = 2
_LEAST_PS = 0.5
_EVERY_FS = 20.0
_WARM_UP_PS = 0.3
_LARGEST_R_A = 8.0
_BIN_A = 0.05
_MOST_WINDOWS = 24
_STRUCTURE_FRAMES = 500


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
    rdf
        g(r) of each pair of elements: ``r_a``, ``student``, ``teacher``, ``peak_shift_a`` and its error.
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
    n_steps: int = 0
    atom_steps_s: float | None = field(default=None)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data as `answer.json` holds it."""
        names = ("temperature_k", "duration_ps", "student_cm2_s", "teacher_cm2_s", "windows_cm2_s", "agree", "rdf")
        return {name: to_plain(getattr(self, name)) for name in (*names, "reasons")}


def teach(
    spec: CampaignSpec,
    produced: Production,
    reference: Reference,
    engine: Engine,
    *,
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
    n_runs = _RUNS if spec.production.teacher_ps >= _RUNS * _LEAST_PS else 1
    identity = reference.identity()
    inputs = [
        md_inputs(
            identity,
            _frame(student[k % len(student)], -1 if k < len(student) else 0),
            temperature_k=kelvin,
            duration_ps=spec.production.teacher_ps / n_runs,
            timestep_fs=spec.explore.timestep_fs,
            every_fs=_EVERY_FS,
            warm_up_ps=_WARM_UP_PS,
            seed=number_from(spec.seed, "teacher", k),
        )
        for k in range(n_runs)
    ]
    told = None if say is None else (lambda state: say("teacher", state))
    done = engine.run("label", md_work(reference.spec), inputs, min_success=1.0, progress=told)
    results = [outcome.result() for outcome in done]
    folders = [outcome.folder.path for outcome in done]
    speed, n_steps = speed_of(folders, student[0].n_atoms)
    broken = [result["ended"] for result in results if result["ended"] is not None]
    if broken:
        reason = f"dynamics with the reference ended early: {broken[0]['kind']}, {broken[0]['reason']}"
        return TeacherCheck(kelvin, 0.0, None, None, None, False, {}, (reason,), n_steps, speed)
    teacher = [read_run(*each) for each in zip(folders, inputs, results, strict=True)]
    found = compare(student, teacher, spec.mobile, kelvin)
    return TeacherCheck(**{**found, "n_steps": n_steps, "atom_steps_s": speed})


def compare(
    student: Sequence[Trajectory], teacher: Sequence[Trajectory], mobile: str, temperature_k: float
) -> dict[str, Any]:
    """Hold runs of the student against runs of the teacher, all of one cell and temperature.

    Parameters
    ----------
    student, teacher
        The runs.
    mobile
        The ion that moves.
    temperature_k
        Of all runs.

    Returns
    -------
    dict
        The fields of a `TeacherCheck` but steps and speed.
    """
    length_fs = min(run.duration_fs for run in teacher)
    windows = _windows(student, length_fs)
    whole, theirs = _diffusivity(student, mobile), _diffusivity(teacher, mobile)
    own = [each for window in windows if (each := _diffusivity([window], mobile)[0]) is not None]
    moves, why = _moves_agree(whole[0], theirs, windows, teacher, mobile)
    rdf, shifts = _structures(student, teacher, length_fs * len(teacher))
    return {
        "temperature_k": temperature_k,
        "duration_ps": sum(run.duration_fs for run in teacher) / 1000,
        "student_cm2_s": None if whole[0] is None else whole[0].interval(),
        "teacher_cm2_s": theirs[1] if theirs[0] is None else theirs[0].interval(),
        "windows_cm2_s": _spanned(own, length_fs),
        "agree": moves and not shifts,
        "rdf": rdf,
        "reasons": (*why, *shifts),
    }


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


def _windows(student: Sequence[Trajectory], length_fs: float) -> list[Trajectory]:
    """Return windows of a length that do not overlap, spread over the runs."""
    found = []
    for run in student:
        n_frames = round(length_fs / run.frame_spacing_fs) + 1
        found += [run.window(start, start + n_frames) for start in range(0, run.n_frames - n_frames + 1, n_frames)]
    step = max(1, -(-len(found) // _MOST_WINDOWS))
    return found[::step]


def _diffusivity(runs: Sequence[Trajectory], mobile: str) -> tuple[Estimate | None, Interval | None, str]:
    """Return D of runs together, or the lowest limit and why there is no more."""
    estimates, limits, reasons = [], [], []
    for run in runs:
        try:
            found = Transport(mobile=mobile).run(run).species[0].diffusion
        except InputError as error:
            reasons.append(str(error))
            continue
        if found.diffusivity_cm2_s is None:
            limits.append(found.interval(0.95))
            reasons += found.verdict.reasons
        else:
            estimates.append(found.diffusivity_cm2_s)
    if not estimates:
        limit = min(limits, key=lambda each: each.high) if limits else None
        return None, limit, "; ".join(dict.fromkeys(reasons))
    weights = np.array([1.0 / max(each.log_variance, 1e-12) for each in estimates])
    value = math.exp(float(weights @ np.log([each.value for each in estimates]) / weights.sum()))
    method = f"{len(estimates)} run(s), each weighted by its own error; {estimates[0].method}"
    return Estimate(value, float(1.0 / weights.sum()), method=method), None, ""


def _spanned(found: Sequence[Estimate], length_fs: float) -> Interval | None:
    if len(found) < 3:
        return None
    logs = np.log([each.value for each in found])
    half = float(stdtrit(len(logs) - 1, 0.975) * logs.std(ddof=1) * math.sqrt(1 + 1 / len(logs)))
    middle = float(logs.mean())
    method = f"{len(logs)} windows of {length_fs / 1000:.3g} ps: where the next one lies, log-normal, Student t"
    return Interval(math.exp(middle), math.exp(middle - half), math.exp(middle + half), 0.95, method)


def _moves_agree(
    student: Estimate | None,
    theirs: tuple[Estimate | None, Interval | None, str],
    windows: Sequence[Trajectory],
    teacher: Sequence[Trajectory],
    mobile: str,
) -> tuple[bool, list[str]]:
    """Return whether the mobile ions move alike, and how that was decided."""
    estimate, _, why_not = theirs
    if student is None:
        return False, ["the student's own runs at this temperature carry no diffusivity"]
    if estimate is not None:
        mine, other = student.interval(), estimate.interval()
        distance = math.log(student.value / estimate.value)
        near = (mine.low, other.high) if distance > 0 else (mine.high, other.low)
        joint = math.hypot(math.log(near[0] / student.value), math.log(near[1] / estimate.value))
        words = (
            f"D of the student is {student.value / estimate.value:.2f} times the teacher's; the joint 95 % interval "
            f"reaches to a factor {math.exp(joint):.2f}"
        )
        return abs(distance) <= joint, [words]
    ratio, factor = _displacement_ratio(windows, teacher, mobile)
    words = f"the teacher's runs are too short for a diffusivity ({why_not})"
    if factor is None:
        return False, [f"{words}, and the student's too short for windows of their length: nothing can be said"]
    words += (
        f"; mean squared displacements over half of a run: {ratio:.2f} times the student's, whose windows of the same "
        f"length allow a factor {factor:.2f}"
    )
    return abs(math.log(ratio)) <= math.log(factor), [words]


def _displacement_ratio(
    windows: Sequence[Trajectory], teacher: Sequence[Trajectory], mobile: str
) -> tuple[float, float | None]:
    """Return the teacher's mean squared displacement over the student's, and the factor that chance allows."""
    mine = np.log([_squared_displacement(each, mobile) for each in windows])
    theirs = np.log([_squared_displacement(each, mobile) for each in teacher])
    if len(mine) < 3:
        return math.nan, None
    error = float(mine.std(ddof=1)) * math.sqrt(1 / len(mine) + 1 / len(theirs))
    factor = math.exp(float(stdtrit(len(mine) - 1, 0.975)) * error)
    return math.exp(float(theirs.mean() - mine.mean())), factor


def _squared_displacement(run: Trajectory, mobile: str) -> float:
    """Return ⟨|Δr|²⟩ in Å² of the mobile ions over half of a run, seen from the framework."""
    seen = run.in_reference_frame("framework", [mobile])
    half = seen.n_frames // 2
    blocks = [np.asarray(block, dtype=np.float64) for block in seen.ion_blocks(seen.indices(mobile))]
    squared = [((block[:, :, half:] - block[:, :, :-half]) ** 2).sum(axis=1).mean(axis=1) for block in blocks]
    return float(np.concatenate(squared).mean())


def _structures(
    student: Sequence[Trajectory], teacher: Sequence[Trajectory], length_fs: float
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Return g(r) of each pair of elements side by side, and the first peaks that are too far apart."""
    narrow = min(float(cell_widths(run.cells[0]).min()) for run in (*student, *teacher))
    r_max = min(_LARGEST_R_A, 0.5 * narrow)
    mine, theirs = _distributions(student, r_max), _distributions(teacher, r_max)
    parts = [_distributions([window], r_max) for window in _windows(student, length_fs)]
    rdf, shifts = {}, []
    for name, one in mine.items():
        other = theirs[name]
        peaks = [peak_position(each.radii, each.values) for each in (one, other)]
        chance = _peak_error([part[name] for part in parts])
        shift = None if peaks[0] is None or peaks[1] is None else peaks[0] - peaks[1]
        rdf[name] = {
            "r_a": one.radii.tolist(),
            "student": one.values.tolist(),
            "teacher": other.values.tolist(),
            "student_peak_a": peaks[0],
            "teacher_peak_a": peaks[1],
            "peak_shift_a": shift,
            "peak_shift_error_a": chance,
        }
        if shift is not None and abs(shift) > max(PEAK_BAR_A, 2 * (chance or 0.0)):
            shifts.append(
                f"first peak of g(r) of {name}: {peaks[0]:.3f} Å, the teacher's {peaks[1]:.3f} Å, expected within "
                f"{PEAK_BAR_A:g} Å"
            )
    return rdf, shifts


def _distributions(runs: Sequence[Trajectory], r_max: float) -> dict[str, RadialDistribution]:
    counter = PairCounter(runs[0].species, r_max, max(10, round(r_max / _BIN_A)))
    step = max(1, sum(run.n_frames for run in runs) // _STRUCTURE_FRAMES)
    for run in runs:
        for index in range(0, run.n_frames, step):
            counter.add(np.asarray(run.positions[index], dtype=np.float64), run.cells[index])
    return counter.distributions()


def _peak_error(parts: Sequence[RadialDistribution]) -> float | None:
    """Return by how much the first peak scatters between windows as long as the teacher's runs, in Å."""
    peaks: list[float] = [peak for each in parts if (peak := peak_position(each.radii, each.values)) is not None]
    found: NDArray[np.float64] = np.array(peaks)
    return float(found.std(ddof=1)) if len(found) >= 3 else None
