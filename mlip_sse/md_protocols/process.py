"""One LAMMPS process: started without a shell, watched through its log, ended in time, put in place when complete."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import numpy as np

from mlip_sse.errors import FormatError, RunError
from mlip_sse.md_protocols.deck import DATA_FILE, DECK_FILE, TRAJECTORY_FILE
from mlip_sse.md_protocols.log import FINISHED_MARK, LogFollower, failure_reason, lammps_version, read_thermo
from mlip_sse.md_protocols.result import SegmentResult, write_finished
from mlip_sse.md_protocols.specs import DiffusionSpec

__all__ = ["Job", "run_job"]

LOG_FILE = "log.lammps"
SCREEN_FILE = "screen.txt"

_POLL_S = 0.2
_GRACE_S = 5.0
_MAX_LOG_BYTES = 64 << 20


@dataclass(frozen=True)
class Job:
    """One run with all its inputs as text.

    Parameters
    ----------
    name, folder
        What it is called and where it goes when done.
    deck, data, files
        The inputs.
    inputs_sha256
        Their hash.
    temperature_k, seed, n_atoms
        What the result repeats.
    spec
        The protocol.
    """

    name: str
    folder: Path
    deck: str
    data: str
    files: tuple[Path, ...]
    inputs_sha256: str
    temperature_k: float
    seed: int
    n_atoms: int
    spec: DiffusionSpec

    @property
    def running_folder(self) -> Path:
        """Where it works until it is complete."""
        return self.folder.with_name(f"{self.folder.name}.running")


def run_job(job: Job, executable: Path, stop: Event, report: Callable[[int], None]) -> SegmentResult:
    """Run one job to its end and put its folder in place.

    Raises
    ------
    RunError
        When LAMMPS fails or runs out of time; its folder ``NAME.running`` is left for inspection.
    """
    if stop.is_set():
        raise RunError(f"{job.name} was not started")
    running = job.running_folder
    if running.exists():  # left by an interrupted or failed attempt
        shutil.rmtree(running)
    running.mkdir()
    (running / DECK_FILE).write_text(job.deck, encoding="utf-8")
    (running / DATA_FILE).write_text(job.data, encoding="utf-8")
    for file in job.files:
        shutil.copy(file, running / file.name)
    start = time.monotonic()
    exit_code = _watch(job, executable, stop, report)
    log = _text(running / LOG_FILE)
    if exit_code != 0 or FINISHED_MARK not in log:
        reason = failure_reason(log, _text(running / SCREEN_FILE))
        raise RunError(f"LAMMPS failed at {job.name}, exit code {exit_code}: {reason}; see {running / LOG_FILE}")
    segment = _measure(job, log, time.monotonic() - start)
    write_finished(segment, running)
    os.replace(running, job.folder)
    report(job.spec.total_steps)
    return segment


def _watch(job: Job, executable: Path, stop: Event, report: Callable[[int], None]) -> int:
    """Start LAMMPS, report its steps, and return its exit code."""
    running = job.running_folder
    limit_s = job.spec.time_limit_hours * 3600
    deadline = time.monotonic() + limit_s
    follower = LogFollower(running / LOG_FILE, job.spec.preparation_steps)
    command = [os.fspath(executable.absolute()), "-in", DECK_FILE, "-log", LOG_FILE, "-screen", "none", "-nocite"]
    with open(running / SCREEN_FILE, "wb") as screen:
        try:
            process = subprocess.Popen(
                command,
                cwd=running,
                stdin=subprocess.DEVNULL,
                stdout=screen,
                stderr=subprocess.STDOUT,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                start_new_session=True,  # the wheel's lmp is a script around the program: both are ended together
            )
        except OSError as error:
            raise RunError(f"{executable} cannot be started: {error.strerror or error}") from error
        try:
            while process.poll() is None:
                report(follower.steps())
                if stop.wait(_POLL_S):
                    raise RunError(f"{job.name} was stopped")
                if time.monotonic() > deadline:
                    done = f"{follower.steps()} of {job.spec.total_steps} steps done"
                    raise RunError(f"{job.name} ran out of time after {limit_s:g} s, {done}: raise time_limit_hours")
        finally:
            _end(process)
        return process.returncode


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children, first asking, then by force."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        os.killpg(process.pid, sign)
        try:
            process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            continue


def _measure(job: Job, log: str, wall_s: float) -> SegmentResult:
    try:
        thermo = read_thermo(log)
    except FormatError as error:
        raise RunError(f"the log of {job.name} cannot be used: {error}") from error
    spec, trajectory = job.spec, job.running_folder / TRAJECTORY_FILE
    times_ps = (thermo.steps - thermo.steps[0]) * spec.timestep_fs / 1000
    slope_ev_ps = float(np.polyfit(times_ps, thermo.total_energies, 1)[0])
    return SegmentResult(
        folder=os.fspath(job.folder),
        temperature_k=job.temperature_k,
        seed=job.seed,
        mean_temperature_k=float(thermo.temperatures_k.mean()),
        mean_pressure_gpa=float(thermo.pressures_gpa.mean()),
        density_g_cm3=float(thermo.densities_g_cm3.mean()),
        energy_drift_mev_atom_ps=slope_ev_ps * 1000 / job.n_atoms,
        n_atoms=job.n_atoms,
        n_frames=spec.production_steps // spec.every(spec.dump_every_fs) + 1,
        frame_spacing_fs=spec.every(spec.dump_every_fs) * spec.timestep_fs,
        wall_s=wall_s,
        engine=f"LAMMPS {lammps_version(log)}",
        inputs_sha256=job.inputs_sha256,
        trajectory_bytes=trajectory.stat().st_size,
    )


def _text(path: Path) -> str:
    if not path.is_file():
        return ""
    with open(path, "rb") as stream:
        return stream.read(_MAX_LOG_BYTES).decode("utf-8", errors="replace")
