"""From files to a trajectory: frames streamed, joined, unwrapped and stored within a stated memory."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from mlip_sse.errors import InputError
from mlip_sse.provenance import InputFile, Provenance
from mlip_sse.trajectory.assembly import Assembly, Kept
from mlip_sse.trajectory.formats import open_source
from mlip_sse.trajectory.model import Trajectory

__all__ = ["DEFAULT_MEMORY_LIMIT_BYTES", "read_trajectory"]

DEFAULT_MEMORY_LIMIT_BYTES = 512 << 20
"""Above this much, coordinates go to a scratch file; with program and buffers it stays within 1 GB resident."""


def read_trajectory(
    path: str | Path | Sequence[str | Path],
    frame_spacing_fs: float | None = None,
    temperature_k: float | None = None,
    *,
    format: str | None = None,
    species: Mapping[int, str] | Sequence[str] | None = None,
    timestep_fs: float | None = None,
    wrapped: bool | None = None,
    start: int = 0,
    stop: int | None = None,
    step: int = 1,
    reference: str = "none",
    mobile: str | Sequence[str] = (),
    velocities: bool = True,
    memory_limit_bytes: int = DEFAULT_MEMORY_LIMIT_BYTES,
    scratch: str | Path | None = None,
    dtype: type[np.floating] = np.float32,
    **options: object,
) -> Trajectory:
    """Read a trajectory of any supported format and unwrap it.

    Parameters
    ----------
    path
        A file, or the files of a continued run in order; a boundary frame that both files hold is kept once.
    frame_spacing_fs
        Time between the file's frames; needed where the file does not say, and it overrules what the file says.
    temperature_k
        Temperature; taken from the file where it says.
    format
        A key of `mlip_sse.trajectory.formats.FORMATS`; told from the content by default.
    species
        Atom type to symbol, or a list of symbols, for formats without elements.
    timestep_fs
        The run's timestep, for formats that count steps only.
    wrapped
        Overrules what the format says of its coordinates: True takes nearest images, False sums steps as they are.
    start, stop, step
        Frames to keep, as in a slice, none negative; unwrapping goes through all frames from ``start`` to ``stop``.
    reference, mobile
        See `Trajectory.in_reference_frame`.
    velocities
        Whether to keep velocities where the file has them.
    memory_limit_bytes
        More than this goes to a scratch file that is mapped.
    scratch
        Folder for that file; the system's temporary folder by default.
    dtype
        Kept precision; steps are summed in float64 in either case.
    **options
        Further options of the format's reader.

    Raises
    ------
    FormatError
        When a file is not what it should be; the message names the frame and the atom.
    InputError
        When an argument cannot be used, or one that is needed is missing.
    """
    paths = _checked_paths(path, frame_spacing_fs, start, stop, step)
    given = {"species": species, "timestep_fs": timestep_fs, **options}
    reader_options = {name: value for name, value in given.items() if value is not None}
    kept = Kept(start, stop, step, velocities, memory_limit_bytes, None if scratch is None else Path(scratch), dtype)
    assembly = Assembly(kept, frame_spacing_fs, wrapped)
    inputs = _assemble(assembly, paths, format, reader_options)
    settings = {**reader_options, "frames": [start, stop, step], "wrapped": wrapped}
    trajectory = assembly.finish(temperature_k, Provenance(inputs=inputs, settings=settings))
    if reference != "none":
        trajectory = trajectory.in_reference_frame(reference, [mobile] if isinstance(mobile, str) else mobile)
    return trajectory


def _checked_paths(
    path: str | Path | Sequence[str | Path], frame_spacing_fs: float | None, start: int, stop: int | None, step: int
) -> list[Path]:
    paths = [Path(path)] if isinstance(path, str | Path) else [Path(one) for one in path]
    if not paths:
        raise InputError("no file to read; give at least one path")
    if start < 0 or step < 1 or (stop is not None and stop <= start):
        raise InputError(f"frames {start}:{stop}:{step} cannot be read; expected 0 ≤ start < stop and step ≥ 1")
    if frame_spacing_fs is not None and not (np.isfinite(frame_spacing_fs) and frame_spacing_fs > 0):
        raise InputError(f"frame_spacing_fs must be positive, found {frame_spacing_fs!r}")
    return paths


def _assemble(
    assembly: Assembly, paths: Sequence[Path], format: str | None, reader_options: Mapping[str, Any]
) -> tuple[InputFile, ...]:
    """Read the files into the assembly while a thread hashes them; return what was read."""
    with ThreadPoolExecutor(1, thread_name_prefix="sha256") as pool:
        hashes: list[Future[InputFile]] = []
        for one in paths:
            source = open_source(one, format, **reader_options)
            hashes.append(pool.submit(InputFile.of, one))
            assembly.add(one, source)
            if assembly.complete:
                break
        return tuple(future.result() for future in hashes)
