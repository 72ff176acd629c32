"""The spectrum of a property of atoms over a trajectory: broadened histograms with intervals over blocks of time.

    S(e) = (1/N_frames) Σ_frames Σ_i g_w(e − x_i),   ∫ S de = number of atoms

with g_w a Gaussian of width w. A spectrum of each label (element, or class of surroundings) adds up to that of all.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from mlip_sse.errors import InputError

__all__ = ["Spectrum", "spectrum_of"]

Floats = npt.NDArray[np.float64]

_BINS_A_WIDTH, _REACH = 5, 6.0
_MAX_BINS = 100_000


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Densities on a grid.

    Parameters
    ----------
    energies : (n_bins,) middles of the bins, in the unit of the property
    names : the labels
    density, low, high : (n_labels, n_bins) atoms per unit of the property, with the 95 % interval over blocks of time
    width : of the Gaussian
    """

    energies: Floats
    names: tuple[str, ...]
    density: Floats
    low: Floats
    high: Floats
    width: float

    def write_csv(self, path: str | Path) -> Path:
        """Write a row a bin: the energy, then density, low and high of each label."""
        header = ["energy", *(f"{name}{end}" for name in self.names for end in ("", " low", " high"))]
        columns = np.stack([self.density, self.low, self.high], axis=1).reshape(-1, len(self.energies))
        with open(path, "w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(header)
            writer.writerows([f"{each:.6g}" for each in row] for row in np.vstack([self.energies, columns]).T)
        return Path(path)

    def plot(self, path: str | Path, what: str) -> Path:
        """Draw the labels that hold atoms, intervals shaded."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6.4, 3.6), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        for name, middle, low, high in zip(self.names, self.density, self.low, self.high, strict=True):
            if middle.any():
                (line,) = axes.plot(self.energies, middle, label=name, linewidth=1.2)
                axes.fill_between(self.energies, low, high, color=line.get_color(), alpha=0.25, linewidth=0)
        axes.set_xlabel(what)
        axes.set_ylabel("atoms per unit")
        axes.legend(frameon=False, fontsize="small")
        figure.savefig(path, dpi=110)
        return Path(path)


def spectrum_of(
    values: Floats, labels: npt.NDArray[np.integer], names: Sequence[str], *, width: float, n_blocks: int = 10
) -> Spectrum:
    """Return the spectrum of each label.

    Parameters
    ----------
    values : (n_frames, n_atoms) property
    labels : (n_frames, n_atoms) places in ``names``
    names
        The labels.
    width
        Standard deviation of the Gaussian, in the unit of the property.
    n_blocks
        Blocks of successive frames; at least 2.

    Raises
    ------
    InputError
        When there are fewer frames than blocks, or the width is not positive or much too small for the range.
    """
    if values.ndim != 2 or labels.shape != values.shape or not np.isfinite(values).all():
        raise InputError(f"found values {values.shape} and labels {labels.shape}, expected (n_frames, n_atoms), finite")
    if n_blocks < 2 or len(values) < n_blocks:
        raise InputError(f"found {len(values)} frames in {n_blocks} blocks, expected 2 blocks or more, a frame in each")
    if not width > 0:
        raise InputError(f"found a width of {width:g}, expected it positive, in the unit of the property")
    step = width / _BINS_A_WIDTH
    bottom = float(values.min()) - _REACH * width
    n_bins = int(np.ceil((float(values.max()) + _REACH * width - bottom) / step)) + 1
    if n_bins > _MAX_BINS:
        raise InputError(f"a width of {width:g} needs {n_bins} bins, expected at most {_MAX_BINS}: take a wider one")
    bins = ((values - bottom) / step).astype(np.intp)
    n_labels = len(names)
    offsets = np.arange(-int(_REACH * _BINS_A_WIDTH), int(_REACH * _BINS_A_WIDTH) + 1)
    gaussian = np.exp(-0.5 * (offsets / _BINS_A_WIDTH) ** 2)
    gaussian /= gaussian.sum() * step
    blocks = []
    for rows in np.array_split(np.arange(len(values)), n_blocks):
        flat = np.asarray(labels[rows], dtype=np.intp) * n_bins + bins[rows]
        counts = np.bincount(flat.ravel(), minlength=n_labels * n_bins).reshape(n_labels, n_bins) / len(rows)
        blocks.append([np.convolve(row, gaussian, mode="full") for row in counts])
    each: Floats = np.array(blocks)
    weights = np.array([len(rows) for rows in np.array_split(np.arange(len(values)), n_blocks)]) / len(values)
    density: Floats = np.tensordot(weights, each, axes=1)
    half: Floats = float(student.ppf(0.975, n_blocks - 1)) * each.std(axis=0, ddof=1) / np.sqrt(n_blocks)
    energies = bottom + step * (np.arange(density.shape[1], dtype=np.float64) + 0.5 - int(_REACH * _BINS_A_WIDTH))
    return Spectrum(
        np.asarray(energies),
        tuple(names),
        np.asarray(density),
        np.asarray(np.maximum(density - half, 0.0)),
        np.asarray(density + half),
        width,
    )
