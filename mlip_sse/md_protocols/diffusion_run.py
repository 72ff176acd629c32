"""Run a protocol: one LAMMPS process a temperature and seed, several at a time, none of them twice.

A run works in ``NAME.running`` and is put in place as ``NAME`` by one rename when it is done, so that whatever carries
the final name is complete. The same command after an interruption runs only what is missing.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from mlip_sse.errors import MlipSseError, RunError, SpecError
from mlip_sse.md_protocols.deck import data_text, deck_text, inputs_sha256
from mlip_sse.md_protocols.process import Job, run_job
from mlip_sse.md_protocols.result import SegmentResult, SimulationResult, read_finished
from mlip_sse.md_protocols.specs import DiffusionSpec, load_protocol
from mlip_sse.md_protocols.structure import build_structure
from mlip_sse.potentials import Potential, load_potential
from mlip_sse.potentials.lammps_install import find_executable
from mlip_sse.provenance import Provenance

__all__ = ["Progress", "run"]

PROTOCOL_FILE = "protocol.json"
LOCK_FILE = ".lock"


@dataclass(frozen=True)
class Progress:
    """How far one run is: its name, MD steps done, and MD steps in all."""

    name: str
    steps: int
    total_steps: int


def run(
    protocol: DiffusionSpec | str | Path,
    folder: str | Path,
    *,
    potential: Potential | str | Path | None = None,
    workers: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> SimulationResult:
    """Run a protocol into a folder; what was finished there before is not run again.

    Parameters
    ----------
    protocol
        A spec, a name in `md_protocols/`, or the path of a YAML file.
    folder
        Where the runs go, each in ``<T>K`` (``<T>K_seed<n>`` where there are several seeds).
    potential
        Another potential than the one the protocol names.
    workers
        LAMMPS processes at a time, each of one thread; None: one for each core.
    progress
        Called with the state of a run a few times a second, from the thread that watches that run.

    Returns
    -------
    SimulationResult
        The runs with their folders and figures.

    Raises
    ------
    SpecError
        When the protocol is wrong, or outside the potential's domain.
    MissingExtraError
        When there is no LAMMPS.
    RunError
        When LAMMPS fails, or the folder holds results of other inputs, or another process works in it.
    """
    spec = load_protocol(protocol) if isinstance(protocol, str | Path) else protocol
    if not isinstance(spec, DiffusionSpec):
        raise SpecError(f"found a {type(spec).__name__}, expected molecular dynamics: `run_static` does the others")
    chosen = spec.potential if potential is None else potential
    model = chosen if isinstance(chosen, Potential) else load_potential(chosen)
    model.require_temperatures("temperatures_k", spec.temperatures_k)
    folder = Path(folder)
    jobs = _prepare(spec, model, folder)
    executable = find_executable()
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        finished = {job.name: read_finished(job.folder, job.inputs_sha256) for job in jobs}
        _write_protocol(spec, folder)
        waiting = [job for job in jobs if finished[job.name] is None]
        finished.update(_run_all(waiting, executable, workers or len(os.sched_getaffinity(0)), progress))
    segments = tuple(segment for job in jobs if (segment := finished[job.name]) is not None)
    settings = spec.model_dump(mode="json")
    return SimulationResult(os.fspath(folder), model.card.name, segments, Provenance(settings=settings))


def _prepare(spec: DiffusionSpec, model: Potential, folder: Path) -> list[Job]:
    """Return all runs with their inputs written out as text, before any of them starts."""
    jobs = []
    for index, temperature_k in enumerate(spec.temperatures_k):
        atoms = build_structure(spec.structure, spec.density_at(index))
        lines = model.lammps_for(atoms.get_chemical_symbols())
        data = data_text(atoms, lines)
        for seed in spec.seeds:
            name = f"{temperature_k:.10g}K" if len(spec.seeds) == 1 else f"{temperature_k:.10g}K_seed{seed}"
            deck = deck_text(spec, lines, temperature_k, seed)
            digest = inputs_sha256(deck, data, lines)
            jobs.append(
                Job(name, folder / name, deck, data, lines.files, digest, temperature_k, seed, len(atoms), spec)
            )
    return jobs


def _run_all(
    jobs: list[Job], executable: Path, workers: int, progress: Callable[[Progress], None] | None
) -> dict[str, SegmentResult]:
    """Run all jobs, some at a time; one that fails does not stop the others."""
    stop = Event()
    results: dict[str, SegmentResult] = {}
    failures: list[MlipSseError] = []

    def work(job: Job) -> SegmentResult:
        def report(steps: int) -> None:
            if progress is not None:
                progress(Progress(job.name, steps, job.spec.total_steps))

        return run_job(job, executable, stop, report)

    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        pending = {job.name: pool.submit(work, job) for job in jobs}
        try:
            for name, future in pending.items():
                try:
                    results[name] = future.result()
                except MlipSseError as error:
                    failures.append(error)
        except BaseException:  # Ctrl-C included: end the LAMMPS processes before leaving
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    if failures:
        others = f" (and {len(failures) - 1} more of {len(jobs)} runs failed)" if len(failures) > 1 else ""
        raise RunError(f"{failures[0]}{others}") from failures[0]
    return results


def _write_protocol(spec: DiffusionSpec, folder: Path) -> None:
    text = json.dumps(spec.model_dump(mode="json"), indent=2) + "\n"
    temporary = folder / f"{PROTOCOL_FILE}.tmp"
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, folder / PROTOCOL_FILE)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder against a second process; the lock ends with the process, however it ends."""
    with open(folder / LOCK_FILE, "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RunError(
                f"another process is simulating in {folder}: wait for it, or choose another folder"
            ) from error
        yield
