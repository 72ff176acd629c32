"""Van Hove functions and concerted hops: ours, and the packages that users take for them today."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.registry import OURS, Run, case
from benchmarks.synthetic import BOX, N_IONS, walkers

__all__: list[str] = []

_R_MAX, _N_BINS = 10.0, 200
_N_LAGS = 10
_N_ORIGINS = 20
_CHECKED_BIN = 100
_EDGE = 10
"""Sites along an edge of the lattice of the hops, 3 Å apart."""

_HOPPING_IONS = 500
_WINDOW = 10
"""Frames in which hops are close; there is one hop a frame."""


def _self_lags(n_frames: int) -> tuple[NDArray[np.int64], int]:
    """Ten log-spaced lags, one of them a sixth of the frames, at which the mean displacement is compared."""
    from mlip_sse.analysis.transport.displacement.lags import log_lags

    lags = log_lags(n_frames, _N_LAGS)
    at = int(np.abs(np.log(lags * 6 / n_frames)).argmin())
    lags[at] = n_frames // 6
    return lags, at


def _mean_length(counts: NDArray[np.int64]) -> float:
    return float(counts @ (np.arange(_N_BINS) + 0.5) * _R_MAX / _N_BINS / counts.sum())


@case("van_hove_self", "mlip-sse, 200 bins, 10 lags, all origins", OURS)
def self_part(n_frames: int, folder: Path) -> Run:
    from mlip_sse.analysis.mechanism.van_hove_counts import self_counts

    centred = walkers(n_frames)
    centred -= centred.mean(axis=0)
    positions = np.ascontiguousarray(centred.transpose(1, 2, 0), dtype=np.float32)
    lags, at = _self_lags(n_frames)
    self_counts([positions[:2]], lags, _R_MAX, _N_BINS)
    return lambda: _mean_length(self_counts([positions], lags, _R_MAX, _N_BINS)[at, :-1])


@case("van_hove_self", "numpy, 200 bins, 10 lags, all origins", "numpy")
def numpy_self_part(n_frames: int, folder: Path) -> Run:
    positions = np.ascontiguousarray(walkers(n_frames).transpose(1, 0, 2))
    lags, at = _self_lags(n_frames)

    def run() -> float:
        counts = []
        for lag in lags.tolist():
            lengths = np.linalg.norm(positions[:, lag:] - positions[:, :-lag], axis=2)
            counts.append(np.histogram(lengths, _N_BINS, (0.0, _R_MAX))[0])
        return _mean_length(counts[at])

    return run


@case("van_hove_self", "pymatgen VanHoveAnalysis, 6 lags, 2 origins, distinct part too", "pymatgen-analysis-diffusion")
def pymatgen_van_hove(n_frames: int, folder: Path) -> Run:
    from pymatgen.analysis.diffusion.aimd.van_hove import VanHoveAnalysis
    from pymatgen.analysis.diffusion.analyzer import DiffusionAnalyzer
    from pymatgen.core import Lattice, Structure

    positions = walkers(n_frames)
    steps = np.concatenate([positions - positions[0], np.zeros((n_frames, 1, 3))], axis=1).transpose(1, 0, 2)
    start = np.concatenate([positions[0], np.zeros((1, 3))])
    structure = Structure(Lattice.cubic(BOX), ["Li"] * N_IONS + ["O"], start, coords_are_cartesian=True)

    def run() -> float:
        analyzer = DiffusionAnalyzer(structure, steps, "Li", 600, time_step=100, step_skip=1, smoothed=False)
        skip = n_frames // 6
        found = VanHoveAnalysis(analyzer, avg_nsteps=2, ngrid=_N_BINS + 1, rmax=_R_MAX, step_skip=skip, species=["Li"])
        # its bins carry the distance where they begin
        return float(found.gsrt[1] @ found.interval / found.gsrt[1].sum() + 0.5 * _R_MAX / _N_BINS)

    return run


def _lags(n_frames: int) -> list[int]:
    return [int(lag) for lag in np.unique(np.geomspace(1, n_frames // 2, _N_LAGS).astype(int))]


@case("van_hove_distinct", "mlip-sse, 10 lags, 20 origins", OURS)
def distinct_part(n_frames: int, folder: Path) -> Run:
    from mlip_sse.analysis.mechanism.van_hove_counts import distinct_counts

    fractions, lags = walkers(n_frames) / BOX, np.array(_lags(n_frames))
    cells = np.tile(np.eye(3) * BOX, (n_frames, 1, 1))
    return lambda: float(
        distinct_counts(fractions, None, cells, lags, _R_MAX, _N_BINS, _N_ORIGINS).values[0, _CHECKED_BIN]
    )


@case("van_hove_distinct", "freud RDF with query points, 10 lags, 20 origins", "freud-analysis")
def freud_distinct(n_frames: int, folder: Path) -> Run:
    import freud

    positions = np.asarray(walkers(n_frames) % BOX - BOX / 2, dtype=np.float32)
    box, lags = freud.box.Box.cube(BOX), _lags(n_frames)
    freud.set_num_threads(1)

    def run() -> float:
        values = []
        for lag in lags:
            found = freud.density.RDF(_N_BINS, _R_MAX)
            for origin in np.linspace(0, n_frames - lag - 1, _N_ORIGINS).round().astype(int):
                found.compute((box, positions[origin]), query_points=positions[origin + lag], reset=False)
            values.append(float(found.rdf[_CHECKED_BIN]))
        # it counts an ion with itself, which the shortest lag shows at short r only, and divides by N², not N (N - 1)
        return values[0]

    return run


def _independent_hops(n: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Frames, ions, and sites that were left and reached, of ions that hop on a cubic lattice, one hop a frame."""
    rng = np.random.default_rng(3)
    frames, ions = np.sort(rng.integers(0, n, n)), rng.integers(0, _HOPPING_IONS, n)
    moves = np.zeros((n, 3), dtype=np.int64)
    moves[np.arange(n), rng.integers(0, 3, n)] = 2 * rng.integers(0, 2, n) - 1
    order = np.argsort(ions, kind="stable")
    walked = np.cumsum(moves[order], axis=0)
    first = np.searchsorted(ions[order], np.arange(_HOPPING_IONS))
    begun = np.where(first > 0, 1, 0)[:, None] * walked[np.maximum(first - 1, 0)]
    homes = rng.integers(0, _EDGE, (_HOPPING_IONS, 3))
    reached = np.empty((n, 3), dtype=np.int64)
    reached[order] = walked - begun[ions[order]] + homes[ions[order]]
    weights = np.array([_EDGE**2, _EDGE, 1])
    return frames, ions, (reached - moves) % _EDGE @ weights, reached % _EDGE @ weights


def _sites() -> NDArray[np.float64]:
    return np.stack(np.unravel_index(np.arange(_EDGE**3), (_EDGE,) * 3), axis=1) / _EDGE


def _events(n: int, sites: bool) -> Any:
    from mlip_sse.analysis.mechanism.hop_events import HopEvents

    frames, ions, start, stop = _independent_hops(n)
    known = {"start_sites": start, "stop_sites": stop, "sites": _sites()} if sites else {}
    cell = np.eye(3) * 3.0 * _EDGE
    return HopEvents(frames, ions, _sites()[start], _sites()[stop], cell, _HOPPING_IONS, n, 100.0, **known)


def _prepare(n: int, sites: bool) -> Run:
    from mlip_sse.analysis.mechanism.event_clusters import find_clusters, places_of

    events = _events(n, sites)
    return lambda: float(find_clusters(events, places_of(events, 3.5), _WINDOW).n_links)


@case("hop_links", "mlip-sse, known sites", OURS)
def links_of_sites(n: int, folder: Path) -> Run:
    return _prepare(n, sites=True)


@case("hop_links", "mlip-sse, places anywhere", OURS)
def links_of_places(n: int, folder: Path) -> Run:
    return _prepare(n, sites=False)


@case("hop_links", "GEMDAT Collective", "gemdat")
def gemdat_collective(n: int, folder: Path) -> Run:
    import pandas
    from gemdat.collective import Collective
    from pymatgen.core import Lattice, Structure

    if n > 5_000:
        raise ImportError(f"GEMDAT keeps a matrix of hops squared: {n**2 / 1e9:g} GB")
    frames, ions, start, stop = _independent_hops(n)
    columns = {"atom index": ions, "start site": start, "destination site": stop, "start time": frames}
    jumps = SimpleNamespace(data=pandas.DataFrame({**columns, "stop time": frames}))
    lattice = Lattice.cubic(3.0 * _EDGE)
    sites = Structure(lattice, ["Li"] * _EDGE**3, _sites())
    return lambda: float(len(Collective(jumps, sites, lattice, _WINDOW, 3.5).coll_jumps))


@case("concerted", "mlip-sse, known sites, 99 shifts", OURS)
def concerted_sites(n: int, folder: Path) -> Run:
    from mlip_sse.analysis.mechanism.concerted import Concerted

    events, settings = _events(n, sites=True), Concerted(n_null=99, window_fs=100.0 * _WINDOW)
    return lambda: float(settings.run_events(events).fraction.value or 0.0)


@case("concerted", "mlip-sse, places anywhere, 99 shifts", OURS)
def concerted_places(n: int, folder: Path) -> Run:
    from mlip_sse.analysis.mechanism.concerted import Concerted

    events, settings = _events(n, sites=False), Concerted(n_null=99, window_fs=100.0 * _WINDOW)
    return lambda: float(settings.run_events(events).fraction.value or 0.0)
