"""What the page needs of the dynamics of the answer: displacements in time, and where in the cell the ions are.

Files may be large and many: one run of each temperature is read, none above a size, and what was left out is said.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import MlipSseError
from mlip_sse.report.campaign_record import CampaignRecord, inside
from mlip_sse.report.untrusted import items, mapping, number, numbers, text
from mlip_sse.trajectory.model import Trajectory

__all__ = ["Cell", "Density", "MsdLine", "Production", "read_production"]

_MOST_FILE_BYTES = 256 << 20
_MOST_TEMPERATURES = 8
_MOST_FRAMES = 400
_MOST_ATOMS = 3000
_FARTHEST_A = 1e4
_VOXEL_A = 0.45
_MOST_VOXELS = 32
_BLUR_A = 0.4


@dataclass(frozen=True, eq=False)
class MsdLine:
    """A curve: times in ps, displacements and their standard errors in Å², local exponent, the fit in its window."""

    temperature_k: float
    path: str
    times_ps: NDArray[np.float64]
    msd: NDArray[np.float64]
    errors: NDArray[np.float64]
    exponent: NDArray[np.float64]
    fit_times_ps: NDArray[np.float64]
    fit: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Cell:
    """A cell: symbols, vectors (3, 3) in Å as rows, positions (n_atoms, 3) in Å inside of it, and what they are."""

    symbols: tuple[str, ...]
    vectors: NDArray[np.float64]
    positions: NDArray[np.float64]
    source: str


@dataclass(frozen=True, eq=False)
class Density:
    """Mobile ions per volume, (n, n, n) 1/Å³ on a grid of fractions of the cell, and where it comes from."""

    values: NDArray[np.float64]
    temperature_k: float
    n_frames: int


@dataclass(frozen=True, eq=False)
class Production:
    """What the trajectories show.

    Parameters
    ----------
    lines
        One for each temperature, cold to hot.
    cell
        Of the hottest run that can be read, else of a frame that was fitted to, else of the start; may be None.
    density
        In that cell; None without a trajectory.
    notes
        What could not be read, in words.
    """

    lines: tuple[MsdLine, ...] = ()
    cell: Cell | None = None
    density: Density | None = None
    notes: tuple[str, ...] = ()


def read_production(record: CampaignRecord, progress: Callable[[str], None] | None = None) -> Production:
    """Read one run of each temperature.

    Parameters
    ----------
    record
        Of the campaign.
    progress
        Called with what is being read.
    """
    lines, notes = [], []
    cell, density = _known_cell(record), None
    chosen, left_out = _chosen(record)
    notes += left_out
    for kelvin, path in reversed(chosen):
        name = os.path.relpath(path, record.folder)
        if progress is not None:
            progress(name)
        try:
            trajectory = Trajectory.read(path, temperature_k=kelvin).in_reference_frame("framework", [record.mobile])
            lines.append(_msd_line(trajectory, record.mobile, kelvin, name))
            if density is None:
                cell, density = _ion_density(trajectory, record.mobile, kelvin, name)
        except MlipSseError as error:
            notes.append(f"{name}: {text(str(error).removeprefix(f'{path}: '), 200)}")
        except (OSError, ValueError, ArithmeticError, LookupError) as error:
            notes.append(f"{name}: cannot be read ({type(error).__name__})")
    return Production(tuple(reversed(lines)), cell, density, tuple(notes))


def _chosen(record: CampaignRecord) -> tuple[list[tuple[float, Path]], list[str]]:
    """Return temperature and file of the runs that are read, cold to hot, and what was left out."""
    found: dict[float, Path] = {}
    notes = []
    for row in items(mapping(record.answer).get("trajectories")):
        kelvin, path = number(mapping(row).get("temperature_k")), text(mapping(row).get("path"), 4096)
        if kelvin is None or kelvin <= 0 or not path or kelvin in found:
            continue
        file = inside(record.folder, path)
        if file is None:
            notes.append(f"{text(path, 200)}: not in the campaign's folder, so its displacements are not shown")
        elif file.stat().st_size > _MOST_FILE_BYTES:
            notes.append(f"{text(path, 200)}: over {_MOST_FILE_BYTES >> 20} MiB, so its displacements are not shown")
        else:
            found[kelvin] = file
    kept = sorted(found)
    if len(kept) > _MOST_TEMPERATURES:
        notes.append(f"displacements are shown for {_MOST_TEMPERATURES} of {len(kept)} temperatures")
        kept = [kept[at] for at in np.linspace(0, len(kept) - 1, _MOST_TEMPERATURES).round().astype(int)]
    return [(kelvin, found[kelvin]) for kelvin in kept], notes


def _msd_line(trajectory: Trajectory, mobile: str, kelvin: float, name: str) -> MsdLine:
    from mlip_sse.analysis.transport.display.msd_curves import msd_curves
    from mlip_sse.analysis.transport.transport import Transport

    curve = msd_curves(Transport(mobile=mobile).run(trajectory))[0]
    return MsdLine(kelvin, name, curve.times_ps, curve.msd, curve.errors, curve.exponent, curve.fit_times_ps, curve.fit)


def _ion_density(trajectory: Trajectory, mobile: str, kelvin: float, name: str) -> tuple[Cell, Density]:
    """Return the mean positions of the framework, and the density of the mobile ions around it."""
    from scipy.ndimage import gaussian_filter

    frames = np.unique(np.linspace(0, trajectory.n_frames - 1, min(trajectory.n_frames, _MOST_FRAMES)).astype(int))
    ions = trajectory.indices(mobile)
    drift = np.zeros((trajectory.n_frames, 3)) if trajectory.drift is None else trajectory.drift
    vectors = trajectory.mean_cell
    lengths = np.linalg.norm(vectors, axis=1)
    shape = tuple(int(n) for n in np.clip(np.ceil(lengths / _VOXEL_A), 4, _MOST_VOXELS))
    counts = np.zeros(shape)
    mean = np.zeros((trajectory.n_atoms, 3))
    for frame in frames:
        positions = np.asarray(trajectory.positions[frame], dtype=np.float64) - drift[frame]
        fractions = positions @ np.linalg.inv(trajectory.cells[frame])
        mean += fractions / len(frames)
        places = tuple(
            np.floor((fractions[ions] % 1.0).T * np.array(shape)[:, None]).astype(int) % np.array(shape)[:, None]
        )
        np.add.at(counts, places, 1.0)
    first = (np.asarray(trajectory.positions[frames[-1]], dtype=np.float64) - drift[frames[-1]]) @ np.linalg.inv(
        trajectory.cells[frames[-1]]
    )
    mean[ions] = first[ions]
    blur = [_BLUR_A / (length / n) for length, n in zip(lengths, shape, strict=True)]
    volume = abs(float(np.linalg.det(vectors))) / counts.size
    density = gaussian_filter(counts, blur, mode="wrap") / (len(frames) * volume)
    cell = Cell(
        tuple(str(s) for s in trajectory.species),
        vectors,
        (mean % 1.0) @ vectors,
        f"{name}: mean places of the framework, last places of {mobile}",
    )
    return cell, Density(density, kelvin, len(frames))


def _known_cell(record: CampaignRecord) -> Cell | None:
    starts = [mapping(round_.get("state_of_learning")).get("starts") for round_ in record.rounds[:1]]
    places = (
        (
            items(mapping(record.card.get("data")).get("structures")),
            "potential/card.json: a frame that the potential was fitted to",
        ),
        (items(starts[0]) if starts else [], "the relaxed structure that the campaign began with"),
    )
    for structures, source in places:
        for one in structures:
            cell = _cell_of(mapping(one), source)
            if cell is not None:
                return cell
    return None


def _cell_of(structure: Any, source: str) -> Cell | None:
    from ase.data import atomic_numbers

    symbols = tuple(text(symbol, 3) for symbol in items(structure.get("symbols")))
    rows = [numbers(row) for row in items(structure.get("positions"))]
    vectors = [numbers(row) for row in items(structure.get("cell"))]
    if not 0 < len(symbols) == len(rows) <= _MOST_ATOMS or any(symbol not in atomic_numbers for symbol in symbols):
        return None
    if len(vectors) != 3 or any(row.shape != (3,) for row in [*rows, *vectors]):
        return None
    matrix, positions = np.array(vectors), np.array(rows)
    sizes = np.abs(np.concatenate([matrix, positions]))
    if not (np.isfinite(sizes).all() and sizes.max() < _FARTHEST_A and abs(np.linalg.det(matrix)) > 1e-3):
        return None
    wrapped = (positions @ np.linalg.inv(matrix) % 1.0) @ matrix
    return Cell(symbols, matrix, wrapped, source)
