"""Student against teacher: whether the ions of two potentials move and sit alike.

A diffusivity from one or two picoseconds is too large: the ions have not left their cages' neighbourhood, whoever moves
them. So the teacher is held against windows of the student's runs, of the same length and with the same time between
frames, and the spread of the windows says what chance does: n teacher's runs and N windows agree where the means of
ln D, or of ln⟨|Δr|²⟩ over half of the length where runs are too short for a D, are closer than t s √(1/n + 1/N). Where
the student has no three windows of that length, the 95 % intervals of D over whole runs decide: √(h₁² + h₂²).

First peaks of g(r) are compared in the same way; more than 0.05 Å apart is too much, where chance cannot explain it.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from mlip_sse.analysis.results import Estimate, Interval
from mlip_sse.analysis.structure.rdf import PairCounter, RadialDistribution, cell_widths, peak_position
from mlip_sse.analysis.transport.transport import Transport
from mlip_sse.errors import InputError
from mlip_sse.trajectory.model import Trajectory

__all__ = ["PEAK_BAR_A", "compare"]

PEAK_BAR_A = 0.05
"""How far the first peak of g(r) may be off in Å."""

_LARGEST_R_A = 8.0
_BIN_A = 0.05
_MOST_WINDOWS = 24
_LEAST_WINDOWS = 3
_CONFIDENCE = 0.95
_STRUCTURE_FRAMES = 500


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
    alike = [_thinned(run, student[0].frame_spacing_fs) for run in teacher]
    whole, theirs = _diffusivity(student, mobile), _diffusivity(teacher, mobile)
    if len(windows) >= _LEAST_WINDOWS:
        moves, words, allowed = _windows_agree(windows, alike, mobile)
    else:
        moves, words, allowed = _intervals_agree(whole[0], theirs)
    rdf, shifts = _structures(student, teacher, windows)
    return {
        "temperature_k": temperature_k,
        "duration_ps": sum(run.duration_fs for run in teacher) / 1000,
        "student_cm2_s": None if whole[0] is None else whole[0].interval(),
        "teacher_cm2_s": theirs[1] if theirs[0] is None else theirs[0].interval(),
        "windows_cm2_s": _spanned(_each(windows, mobile), length_fs),
        "agree": moves and not shifts,
        "chance_factor": allowed,
        "rdf": rdf,
        "reasons": (words, *shifts),
    }


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
    if len(found) < _LEAST_WINDOWS:
        return None
    logs = np.log([each.value for each in found])
    half = float(stdtrit(len(logs) - 1, 0.975) * logs.std(ddof=1) * math.sqrt(1 + 1 / len(logs)))
    middle = float(logs.mean())
    method = f"{len(logs)} windows of {length_fs / 1000:.3g} ps: where the next one lies, log-normal, Student t"
    return Interval(math.exp(middle), math.exp(middle - half), math.exp(middle + half), 0.95, method)


def _each(runs: Sequence[Trajectory], mobile: str) -> list[Estimate]:
    """Return D of each run that carries one."""
    return [found for run in runs if (found := _diffusivity([run], mobile)[0]) is not None]


def _thinned(run: Trajectory, spacing_fs: float) -> Trajectory:
    """Return every so many frames of a run, as near to a spacing as can be had."""
    step = max(1, round(spacing_fs / run.frame_spacing_fs))
    return Trajectory.from_arrays(
        run.species, run.positions[::step], run.cells[::step], step * run.frame_spacing_fs, wrapped=False
    )


def _windows_agree(
    windows: Sequence[Trajectory], teacher: Sequence[Trajectory], mobile: str
) -> tuple[bool, str, float | None]:
    """Return whether the teacher's ions move as in windows of the student's, how far apart, and the factor allowed."""
    mine, theirs, what = _each(windows, mobile), _each(teacher, mobile), "D"
    logs = [np.log([each.value for each in group]) for group in (mine, theirs)]
    if len(mine) < len(windows) or len(theirs) < len(teacher):
        what = "the mean squared displacement over half of that time"
        logs = [np.log([_squared_displacement(each, mobile) for each in group]) for group in (windows, teacher)]
    distance = float(logs[0].mean() - logs[1].mean())
    allowed = _chance(logs[0], len(teacher), _CONFIDENCE)
    words = (
        f"{what} of the student is {math.exp(distance):.2f} times the teacher's in {len(windows)} windows as long as "
        f"its runs, {teacher[0].duration_fs / 1000:.3g} ps; chance allows a factor {math.exp(allowed):.2f} (95 %); "
        "D over whole runs of different lengths is not compared"
    )
    return abs(distance) <= allowed, words, math.exp(allowed)


def _chance(of_windows: NDArray[np.float64], n_runs: int, confidence: float) -> float:
    """Return how far the mean of so many runs may be from that of the windows by chance: t s √(1/n + 1/N)."""
    n_windows = len(of_windows)
    quantile = float(stdtrit(n_windows - 1, 0.5 * (1.0 + confidence)))
    return quantile * float(of_windows.std(ddof=1)) * math.sqrt(1 / n_runs + 1 / n_windows)


def _intervals_agree(
    student: Estimate | None, theirs: tuple[Estimate | None, Interval | None, str]
) -> tuple[bool, str, float | None]:
    """Return whether the 95 % intervals of D over whole runs allow the same D, in words, and the factor allowed."""
    estimate, _, why_not = theirs
    if student is None or estimate is None:
        who = "student's" if student is None else "teacher's"
        return False, f"the {who} runs are too short for a diffusivity, and no windows decide: {why_not}", None
    mine, other = student.interval(), estimate.interval()
    distance = math.log(student.value / estimate.value)
    near = (mine.low, other.high) if distance > 0 else (mine.high, other.low)
    joint = math.hypot(math.log(near[0] / student.value), math.log(near[1] / estimate.value))
    words = (
        f"D of the student is {math.exp(distance):.2f} times the teacher's; the joint 95 % interval reaches to a "
        f"factor {math.exp(joint):.2f}"
    )
    return abs(distance) <= joint, words, math.exp(joint)


def _squared_displacement(run: Trajectory, mobile: str) -> float:
    """Return ⟨|Δr|²⟩ in Å² of the mobile ions over half of a run, seen from the framework."""
    seen = run.in_reference_frame("framework", [mobile])
    half = seen.n_frames // 2
    blocks = [np.asarray(block, dtype=np.float64) for block in seen.ion_blocks(seen.indices(mobile))]
    squared = [((block[:, :, half:] - block[:, :, :-half]) ** 2).sum(axis=1).mean(axis=1) for block in blocks]
    return float(np.concatenate(squared).mean())


def _structures(
    student: Sequence[Trajectory], teacher: Sequence[Trajectory], windows: Sequence[Trajectory]
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Return g(r) of each pair of elements side by side, and the first peaks that are too far apart."""
    narrow = min(float(cell_widths(run.cells[0]).min()) for run in (*student, *teacher))
    r_max = min(_LARGEST_R_A, 0.5 * narrow)
    mine, theirs = _distributions(student, r_max), _distributions(teacher, r_max)
    parts = [_distributions([window], r_max) for window in windows]
    rdf: dict[str, dict[str, Any]] = {}
    shifts = []
    # All pairs are looked at, so that each must be off by more than one in twenty for all together.
    confidence = 1.0 - (1.0 - _CONFIDENCE) / len(mine)
    for name, one in mine.items():
        other = theirs[name]
        peaks = [peak_position(each.radii, each.values) for each in (one, other)]
        shift = None if peaks[0] is None or peaks[1] is None else peaks[0] - peaks[1]
        scattered = [peak_position(part[name].radii, part[name].values) for part in parts]
        known = np.array([peak for peak in scattered if peak is not None], dtype=np.float64)
        chance = _chance(known, len(teacher), confidence) if len(known) >= _LEAST_WINDOWS else None
        rdf[name] = {
            "r_a": one.radii.tolist(),
            "student": one.values.tolist(),
            "teacher": other.values.tolist(),
            "student_peak_a": peaks[0],
            "teacher_peak_a": peaks[1],
            "peak_shift_a": shift,
            "peak_chance_a": chance,
        }
        if shift is not None and abs(shift) > max(PEAK_BAR_A, chance or 0.0):
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
