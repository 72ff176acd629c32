"""The spectrum of a property of atoms over a trajectory: broadened histograms with intervals over blocks of time.

    S(e) = (1/N_frames) Σ_frames Σ_i ⟨g_w(e − x_i − s_i r)⟩_r,   ∫ S de = number of atoms

with g_w a Gaussian of width w. Where the values are a model's, they scatter less than the truth does: each counts as
the truth would lie about it, with r the residuals of its element on unseen blocks and s its scale
(`mlip_sse.properties.atoms.atom_part`). A spectrum of each label (element, or class of surroundings) adds up to that
of all. The variance of S is that between blocks of time, that between blocks of residuals, and that of N residuals
where each of N atoms keeps its own.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.signal import fftconvolve
from scipy.stats import norm
from scipy.stats import t as student

from mlip_sse.errors import InputError

__all__ = ["ModelErrors", "Spectrum", "spectrum_of"]

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

_BINS_A_WIDTH, _REACH = 5, 6.0
_MAX_BINS = 100_000
_SCALES = 8
_TAIL = 0.001
_ROUNDING = 1e-13


@dataclass(frozen=True, eq=False)
class ModelErrors:
    """How far the truth lies from the values of a model.

    Parameters
    ----------
    scales : (n_frames, n_atoms) of each value, in the unit of the property
    kinds : (n_atoms,) element of each atom, a place in ``residuals``
    residuals
        For each element residuals over scale, (n_rows,), and the block that each is of, (n_rows,).
    """

    scales: Floats
    kinds: Indices
    residuals: Sequence[tuple[Floats, Indices]]


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Densities on a grid.

    Parameters
    ----------
    energies : (n_bins,) middles of the bins, in the unit of the property
    names : the labels
    density, low, high : (n_labels, n_bins) atoms per unit of the property, with the 95 % interval
    predicted : (n_labels, n_bins) of the values as they are, without the errors of a model
    blocks : (n_blocks, n_labels, n_bins) density in each block of time
    weights : (n_blocks,) share of the frames in each
    width : of the Gaussian
    """

    energies: Floats
    names: tuple[str, ...]
    density: Floats
    low: Floats
    high: Floats
    predicted: Floats
    blocks: Floats
    weights: Floats
    width: float

    def write_csv(self, path: str | Path) -> Path:
        """Write a row a bin: the energy, then density, low, high and what was predicted of each label."""
        ends = ("", " low", " high", " predicted")
        header = ["energy", *(f"{name}{end}" for name in self.names for end in ends)]
        columns = np.stack([self.density, self.low, self.high, self.predicted], axis=1).reshape(-1, len(self.energies))
        with open(path, "w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(header)
            writer.writerows([f"{each:.6g}" for each in row] for row in np.vstack([self.energies, columns]).T)
        return Path(path)


def spectrum_of(
    values: Floats,
    labels: npt.NDArray[np.integer],
    names: Sequence[str],
    *,
    width: float,
    n_blocks: int = 10,
    errors: ModelErrors | None = None,
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
    errors
        Of the model that the values are from; None where they are the truth.

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
    reach = 0.0 if errors is None else _furthest(errors)
    # Grids of one width share their bins, so that two spectra can be compared.
    first = int(np.floor((float(values.min()) - reach - _REACH * width) / step))
    n_bins = int(np.ceil((float(values.max()) + reach + _REACH * width) / step)) + 1 - first
    if n_bins > _MAX_BINS:
        raise InputError(f"a width of {width:g} needs {n_bins} bins, expected at most {_MAX_BINS}: take a wider one")
    bins = np.asarray(np.floor(values / step), dtype=np.intp) - first
    gaussian = _gaussian(step)
    parts = np.array_split(np.arange(len(values)), n_blocks)
    counts = np.array([_counts(bins[rows], labels[rows], len(names), n_bins) / len(rows) for rows in parts])
    plain = _convolved(counts, gaussian)
    weights = np.array([len(rows) for rows in parts]) / len(values)
    predicted: Floats = np.tensordot(weights, plain, axes=1)
    blocks, squared = plain, np.zeros_like(predicted)
    if errors is not None:
        grid = (len(names), n_bins, step)
        blocks, squared = _with_errors(bins, labels, parts, errors, grid, gaussian)
        squared = squared + norm.ppf(0.975) ** 2 * _kept_errors(bins, labels, errors, grid, gaussian)
    density: Floats = np.tensordot(weights, blocks, axes=1)
    over_time = float(student.ppf(0.975, n_blocks - 1)) ** 2 * blocks.var(axis=0, ddof=1) / n_blocks
    half = np.sqrt(over_time + squared)
    energies = step * (first + np.arange(n_bins, dtype=np.float64) + 0.5)
    bottom, top = np.maximum(density - half, 0.0), density + half
    return Spectrum(energies, tuple(names), density, bottom, top, predicted, blocks, weights, width)


def _gaussian(step: float) -> Floats:
    offsets = np.arange(-int(_REACH * _BINS_A_WIDTH), int(_REACH * _BINS_A_WIDTH) + 1)
    found = np.exp(-0.5 * (offsets / _BINS_A_WIDTH) ** 2)
    return np.asarray(found / (found.sum() * step), dtype=np.float64)


def _counts(bins: Indices, labels: npt.NDArray[np.integer], n_labels: int, n_bins: int) -> Floats:
    flat = np.asarray(labels, dtype=np.intp) * n_bins + bins
    return np.bincount(flat.ravel(), minlength=n_labels * n_bins).reshape(n_labels, n_bins).astype(np.float64)


def _convolved(rows: Floats, kernel: Floats) -> Floats:
    """Return rows (..., n_bins) convolved with a kernel about its middle."""
    shape = (1,) * (rows.ndim - 1) + (-1,)
    found = fftconvolve(rows, kernel.reshape(shape), mode="full", axes=-1)
    start = (len(kernel) - 1) // 2
    inside = np.asarray(found[..., start : start + rows.shape[-1]], dtype=np.float64)
    return np.where(inside > _ROUNDING * np.abs(inside).max(initial=0.0), inside, 0.0)


def _bounds(residuals: Floats) -> Floats:
    """Return residuals with the outermost thousandth at each end drawn in: a grid must not reach for one of them."""
    return np.clip(residuals, *np.quantile(residuals, [_TAIL, 1.0 - _TAIL]))


def _furthest(errors: ModelErrors) -> float:
    """Return how far from a value the truth may lie."""
    each = [np.abs(_bounds(residuals)).max() for residuals, _ in errors.residuals]
    own = [errors.scales[:, errors.kinds == kind] for kind in range(len(each))]
    return max(float(far * scales.max()) for far, scales in zip(each, own, strict=True) if scales.size)


def _with_errors(
    bins: Indices,
    labels: npt.NDArray[np.integer],
    parts: Sequence[Indices],
    errors: ModelErrors,
    grid: tuple[int, int, float],
    gaussian: Floats,
) -> tuple[Floats, Floats]:
    """Return the density in each block of time, and what blocks of residuals add to the squared half-width."""
    n_labels, n_bins, step = grid
    blocks, squared = np.zeros((len(parts), n_labels, n_bins)), np.zeros((n_labels, n_bins))
    weights = np.array([len(rows) for rows in parts]) / len(bins)
    for kind, (residuals, of) in enumerate(errors.residuals):
        own = np.flatnonzero(errors.kinds == kind)
        if not len(own):
            continue
        scales, inside = errors.scales[:, own], _bounds(residuals)
        edges = np.quantile(scales, np.linspace(0.0, 1.0, _SCALES + 1)[1:-1])
        group = np.searchsorted(edges, scales, side="right")
        names = np.unique(of)
        by_residuals = np.zeros((len(names), n_labels, n_bins))
        for at in np.unique(group):
            scale = float(np.sqrt(np.mean(scales[group == at] ** 2)))
            places = np.rint(inside * scale / step).astype(np.intp)
            far = int(np.abs(places).max())
            kernels = np.array([np.bincount(places[of == name] + far, minlength=2 * far + 1) for name in names])
            kernels = kernels / kernels.sum(axis=1, keepdims=True)
            counts = np.array([_chosen(bins, labels, group, at, own, rows, n_labels, n_bins) for rows in parts])
            present = np.flatnonzero(counts.sum(axis=(0, 2)))
            blocks[:, present] += _convolved(_convolved(counts[:, present], kernels.mean(axis=0)), gaussian)
            mean = _convolved(np.tensordot(weights, counts[:, present], axes=1), gaussian)
            for place, kernel in enumerate(kernels):
                by_residuals[place][present] += _convolved(mean, kernel)
        error = by_residuals.var(axis=0, ddof=1) / len(names)
        squared += float(student.ppf(0.975, len(names) - 1)) ** 2 * error
    return blocks, squared


def _kept_errors(
    bins: Indices,
    labels: npt.NDArray[np.integer],
    errors: ModelErrors,
    grid: tuple[int, int, float],
    gaussian: Floats,
) -> Floats:
    """Return the variance of the spectrum where each atom keeps one residual for the whole run, (n_labels, n_bins).

    An atom that stays where it is has the same error in all frames: N such atoms are N draws, however long the run.
    With f the atom's own line, drawn out over time, it is ⟨f(e − s r)²⟩_r − ⟨f(e − s r)⟩_r², summed over atoms.
    """
    n_labels, n_bins, step = grid
    found = np.zeros((n_labels, n_bins))
    for kind, (residuals, _) in enumerate(errors.residuals):
        inside = _bounds(residuals)
        for atom in np.flatnonzero(errors.kinds == kind):
            scale = float(np.sqrt(np.mean(errors.scales[:, atom] ** 2)))
            places = np.rint(inside * scale / step).astype(np.intp)
            far = int(np.abs(places).max())
            kernel = np.bincount(places + far, minlength=2 * far + 1) / len(places)
            counts = _counts(bins[:, atom], labels[:, atom], n_labels, n_bins) / len(bins)
            present = np.flatnonzero(counts.sum(axis=1))
            line = _convolved(counts[present], gaussian)
            found[present] += np.maximum(_convolved(line**2, kernel) - _convolved(line, kernel) ** 2, 0.0)
    return found


def _chosen(
    bins: Indices,
    labels: npt.NDArray[np.integer],
    group: Indices,
    at: int,
    own: Indices,
    rows: Indices,
    n_labels: int,
    n_bins: int,
) -> Floats:
    """Return counts a frame, (n_labels, n_bins), of the atoms of one element and one scale in some frames."""
    chosen = group[rows] == at
    return _counts(bins[rows][:, own][chosen], labels[rows][:, own][chosen], n_labels, n_bins) / len(rows)
