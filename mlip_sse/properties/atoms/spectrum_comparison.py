"""How far the spectrum of a model is from the true one of the same frames, and both drawn.

    m = ½ ∫ |S − T| de / N

is the share of atoms that stand at another place: 0 for equal spectra, 1 for such as do not overlap.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from mlip_sse.errors import InputError
from mlip_sse.properties.atoms.spectrum import Spectrum

__all__ = ["Misplaced", "draw_spectra", "misplaced"]

Floats = npt.NDArray[np.float64]

_LEAST_ATOMS = 1e-12
_PANELS_ACROSS = 3
_SEEN = 0.004


@dataclass(frozen=True)
class Misplaced:
    """One label's spectrum against the truth.

    Parameters
    ----------
    name, n_atoms
        The label, and its atoms a frame in truth.
    share, low, high
        m with its 95 % interval, a jackknife over blocks of time.
    predicted
        m of the values as they are, without the errors of the model.
    floor
        m of one half of the true blocks of time against the other: what sampling alone does.
    held
        Share of the true atoms that stand where the interval holds the true density.
    """

    name: str
    n_atoms: float
    share: float
    low: float
    high: float
    predicted: float
    floor: float
    held: float


def misplaced(found: Spectrum, truth: Spectrum) -> tuple[Misplaced, ...]:
    """Compare two spectra of the same frames, blocks, labels and width.

    Raises
    ------
    InputError
        When they are of other blocks, labels or widths.
    """
    shapes = (found.blocks.shape[0], found.names, found.width), (truth.blocks.shape[0], truth.names, truth.width)
    if shapes[0] != shapes[1]:
        raise InputError(f"found spectra of {shapes[0]} and {shapes[1]}, expected the same blocks, labels and width")
    first, second = _on_one_grid(found, truth)
    step = float(found.energies[1] - found.energies[0])
    n_blocks = len(found.blocks)
    # Each block left out once: resampled blocks repeat, and a distance of few blocks is larger.
    weights = found.weights * (1.0 - np.eye(n_blocks))
    weights = weights / weights.sum(axis=1, keepdims=True)
    rows = []
    for at, name in enumerate(found.names):
        mine, other = first["blocks"][:, at], second["blocks"][:, at]
        true = second["density"][at]
        n_atoms = float(true.sum() * step)
        if n_atoms < _LEAST_ATOMS:
            continue
        share, plain = (
            np.abs(first[each][at] - true).sum() * step / (2 * n_atoms) for each in ("density", "predicted")
        )
        without = np.abs(weights @ (mine - other)).sum(axis=1) / (2.0 * (weights @ other).sum(axis=1))
        half = float(student.ppf(0.975, n_blocks - 1) * np.sqrt((n_blocks - 1) * without.var()))
        halves = [other[start::2].mean(axis=0) for start in (0, 1)]
        floor = np.abs(halves[0] - halves[1]).sum() / sum(each.sum() for each in halves)
        inside = (first["low"][at] <= true) & (true <= first["high"][at])
        held = float(true[inside].sum() / true.sum())
        rows.append(
            Misplaced(name, n_atoms, share, max(share - half, 0.0), min(share + half, 1.0), plain, float(floor), held)
        )
    return tuple(rows)


def _on_one_grid(first: Spectrum, second: Spectrum) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Return the arrays of both on a grid that holds both."""
    step = float(first.energies[1] - first.energies[0])
    starts = [round(float(each.energies[0]) / step - 0.5) for each in (first, second)]
    ends = [start + len(each.energies) for start, each in zip(starts, (first, second), strict=True)]
    padded = []
    for each, start, end in zip((first, second), starts, ends, strict=True):
        pad = (start - min(starts), max(ends) - end)
        arrays = {name: getattr(each, name) for name in ("density", "low", "high", "predicted", "blocks")}
        padded.append({name: np.pad(a, [(0, 0)] * (a.ndim - 1) + [pad]) for name, a in arrays.items()})
    return padded[0], padded[1]


def draw_spectra(found: Spectrum, path: str | Path, what: str, unit: str, truth: Spectrum | None = None) -> Path:
    """Draw a panel for each label that holds atoms: density, its interval shaded, and the truth dashed."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = [at for at, row in enumerate(found.density) if row.any()]
    across = min(_PANELS_ACROSS, int(np.ceil(np.sqrt(len(shown)))))
    down = -(-len(shown) // across)
    figure = Figure(figsize=(0.6 + 2.7 * across, 0.5 + 1.9 * down), layout="constrained")
    FigureCanvasAgg(figure)
    axes = np.atleast_1d(figure.subplots(down, across, squeeze=False)).ravel()
    for ax, at in zip(axes, shown, strict=False):
        seen = np.flatnonzero(found.density[at] > _SEEN * found.density[at].max())
        part = slice(seen[0], seen[-1] + 1)
        x = found.energies[part]
        ax.fill_between(x, found.low[at][part], found.high[at][part], alpha=0.3, linewidth=0, label="95 % interval")
        ax.plot(x, found.density[at][part], linewidth=1.2, label="model, its errors counted in")
        top = found.density[at].max()
        if truth is not None and (name := found.names[at]) in truth.names:
            true = truth.density[truth.names.index(name)]
            near = (truth.energies >= x[0]) & (truth.energies <= x[-1])
            ax.plot(truth.energies[near], true[near], "k--", linewidth=0.9, label="truth")
            top = max(top, true.max())
        ax.set_xlim(x[0], x[-1])
        ax.set_ylim(0.0, 1.3 * top)
        ax.set_title(found.names[at], fontsize="small")
        ax.tick_params(labelsize="x-small")
    for ax in axes[len(shown) :]:
        ax.set_axis_off()
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3, frameon=False, fontsize="x-small")
    figure.supxlabel(f"{what} ({unit})" if unit else what, fontsize="small")
    figure.supylabel(f"atoms per {unit or 'unit'}", fontsize="small")
    figure.savefig(path, dpi=120)
    return Path(path)
