"""What a dataset holds, in numbers and in histograms."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.dataset.frame import LabelledFrame
from mlip_sse.errors import InputError
from mlip_sse.units import EV_PER_A3_TO_GPA

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Statistics", "plot_compositions", "plot_forces", "plot_volumes", "summarise"]

_MAX_BARS = 20


@dataclass(frozen=True)
class Statistics:
    """Counts and spreads of a set of labelled frames.

    Parameters
    ----------
    n_frames, n_atoms, n_groups, n_with_stress
        Counts.
    elements
        Atoms of each element.
    compositions
        Frames of each formula.
    force_rms, largest_force
        eV/Å: root mean square of the components, and the longest force on an atom.
    force_rms_by_element
        eV/Å.
    energy_per_atom_std
        eV, about the mean of each formula.
    volume_per_atom
        Å³: smallest and largest; None where no frame is periodic.
    pressure_gpa
        Lowest and highest; None where no frame has a stress.
    """

    n_frames: int
    n_atoms: int
    n_groups: int
    n_with_stress: int
    elements: Mapping[str, int]
    compositions: Mapping[str, int]
    force_rms: float
    largest_force: float
    force_rms_by_element: Mapping[str, float]
    energy_per_atom_std: float
    volume_per_atom: tuple[float, float] | None
    pressure_gpa: tuple[float, float] | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)


def summarise(frames: Iterable[LabelledFrame]) -> Statistics:
    """Count and measure labelled frames.

    Raises
    ------
    InputError
        When there are none.
    """
    frames = _some(frames)
    symbols = np.concatenate([np.array(frame.symbols) for frame in frames])
    squares = np.einsum("ij,ij->i", *2 * [np.concatenate([frame.forces for frame in frames])])
    elements = sorted(set(symbols.tolist()))
    volumes = [frame.volume / frame.n_atoms for frame in frames if all(frame.pbc)]
    pressures = [-float(f.stress[:3].mean()) * EV_PER_A3_TO_GPA for f in frames if f.stress is not None]
    return Statistics(
        n_frames=len(frames),
        n_atoms=len(symbols),
        n_groups=len({frame.group for frame in frames}),
        n_with_stress=len(pressures),
        elements={element: int((symbols == element).sum()) for element in elements},
        compositions=dict(Counter(frame.formula for frame in frames).most_common()),
        force_rms=_rms(squares),
        largest_force=float(np.sqrt(squares.max())),
        force_rms_by_element={element: _rms(squares[symbols == element]) for element in elements},
        energy_per_atom_std=_spread_within_formulas(frames),
        volume_per_atom=(min(volumes), max(volumes)) if volumes else None,
        pressure_gpa=(min(pressures), max(pressures)) if pressures else None,
    )


def plot_compositions(frames: Iterable[LabelledFrame]) -> "Figure":
    """Return a bar chart of the frames of each formula, the most frequent twenty."""
    counts = Counter(frame.formula for frame in _some(frames)).most_common(_MAX_BARS)
    figure, axes = _axes("frames", "")
    axes.barh([formula for formula, _ in counts][::-1], [count for _, count in counts][::-1])
    return figure


def plot_forces(frames: Iterable[LabelledFrame]) -> "Figure":
    """Return histograms of the length of the forces, one line an element."""
    by_element: dict[str, list[float]] = {}
    for frame in _some(frames):
        for symbol, length in zip(frame.symbols, np.linalg.norm(frame.forces, axis=1).tolist(), strict=True):
            by_element.setdefault(symbol, []).append(length)
    edges = np.linspace(0, max(max(lengths) for lengths in by_element.values()) or 1.0, 61)
    figure, axes = _axes("|force| (eV/Å)", "atoms")
    for element, lengths in sorted(by_element.items()):
        axes.hist(lengths, bins=edges.tolist(), histtype="step", label=element)
    axes.set_yscale("log")
    axes.legend()
    return figure


def plot_volumes(frames: Iterable[LabelledFrame]) -> "Figure":
    """Return a histogram of the volume per atom."""
    volumes = [frame.volume / frame.n_atoms for frame in _some(frames) if all(frame.pbc)]
    if not volumes:
        raise InputError("found no periodic frame, expected cells with a volume")
    figure, axes = _axes("volume per atom (Å³)", "frames")
    axes.hist(volumes, bins=40)
    return figure


def _axes(x_label: str, y_label: str) -> tuple["Figure", "Axes"]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3.5), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    return figure, axes


def _some(frames: Iterable[LabelledFrame]) -> list[LabelledFrame]:
    frames = list(frames)
    if not frames:
        raise InputError("found no frames, expected at least one")
    return frames


def _rms(squares: NDArray[np.float64]) -> float:
    return float(np.sqrt(squares.mean() / 3))


def _spread_within_formulas(frames: list[LabelledFrame]) -> float:
    by_formula: dict[str, list[float]] = {}
    for frame in frames:
        by_formula.setdefault(frame.formula, []).append(frame.energy / frame.n_atoms)
    deviations = np.concatenate([np.array(energies) - np.mean(energies) for energies in by_formula.values()])
    return float(np.sqrt(np.mean(deviations**2)))
