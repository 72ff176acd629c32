"""Mean squared displacement of unwrapped walkers: ours, and the packages that users take for it today.

Every case starts from coordinates in memory, in the layout and type that its package wants, and returns the MSD at one
lag.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.registry import OURS, Run, case
from benchmarks.synthetic import BOX, N_IONS, walkers

__all__: list[str] = []

_LAG = 100
"""The lag in frames at which the packages are compared."""


def _ions_first(n_frames: int, dtype: type[np.floating]) -> NDArray[np.floating]:
    centred = walkers(n_frames)
    centred -= centred.mean(axis=0)
    return np.ascontiguousarray(centred.transpose(1, 2, 0), dtype=dtype)


@case("msd", "mlip-sse, 100 log lags: MSD, variance, α₂, tensor", OURS)
def moments(n_frames: int, folder: Path) -> Run:
    from mlip_sse.analysis.transport.displacement.displacements import displacement_moments
    from mlip_sse.analysis.transport.displacement.lags import log_lags

    positions = _ions_first(n_frames, np.float32)
    lags = log_lags(n_frames)
    at = int(np.abs(lags - _LAG).argmin())
    lags[at] = _LAG
    displacement_moments(positions[:2], lags)
    return lambda: float(displacement_moments(positions, lags).msd[at])


@case("msd", "mlip-sse, all lags (FFT)", OURS)
def all_lags(n_frames: int, folder: Path) -> Run:
    from mlip_sse.analysis.transport.displacement.fourier import msd_all_lags

    positions = _ions_first(n_frames, np.float64)
    return lambda: float(msd_all_lags(positions)[_LAG])


@case("msd", "pymatgen DiffusionAnalyzer, its 200 lags", "pymatgen-analysis-diffusion")
def pymatgen(n_frames: int, folder: Path) -> Run:
    from pymatgen.analysis.diffusion.analyzer import DiffusionAnalyzer
    from pymatgen.core import Lattice, Structure

    positions = walkers(n_frames)
    displacements = (positions - positions[0]).transpose(1, 0, 2)
    displacements = np.concatenate([displacements, np.zeros_like(displacements[:1])])  # it insists on a framework
    sites = np.random.default_rng(0).random((N_IONS + 1, 3))
    structure = Structure(Lattice.cubic(BOX), ["Li"] * N_IONS + ["O"], sites)

    def run() -> float:
        result = DiffusionAnalyzer(structure, displacements, "Li", 600, time_step=100, step_skip=1, smoothed="max")
        return float(np.interp(100.0 * _LAG, result.dt, result.msd))

    return run


@case("msd", "freud MSD (window), all lags", "freud-analysis")
def freud(n_frames: int, folder: Path) -> Run:
    import freud as freud_package

    positions = walkers(n_frames)
    box = freud_package.box.Box.cube(BOX)
    return lambda: float(freud_package.msd.MSD(box, "window").compute(positions).msd[_LAG])


@case("msd", "MDAnalysis EinsteinMSD (fft), all lags", "MDAnalysis")
def mdanalysis(n_frames: int, folder: Path) -> Run:
    import MDAnalysis
    from MDAnalysis.analysis.msd import EinsteinMSD

    universe = MDAnalysis.Universe.empty(N_IONS, trajectory=True)
    universe.load_new(walkers(n_frames).astype(np.float32))
    return lambda: float(EinsteinMSD(universe, select="all", msd_type="xyz", fft=True).run().results.timeseries[_LAG])


@case("msd", "tidynamics, ion by ion, all lags", "tidynamics")
def tidynamics(n_frames: int, folder: Path) -> Run:
    import tidynamics as tidynamics_package

    positions = walkers(n_frames)
    return lambda: float(np.mean([tidynamics_package.msd(positions[:, ion])[_LAG] for ion in range(N_IONS)]))


@case("msd", "mdapy (window), all lags", "mdapy")
def mdapy(n_frames: int, folder: Path) -> Run:
    from mdapy.mean_squared_displacement import MeanSquaredDisplacement

    positions = walkers(n_frames)

    def run() -> float:
        result = MeanSquaredDisplacement(positions, "window")
        result.compute()
        return float(result.msd[_LAG])

    return run


@case("msd", "kinisi, 100 log lags", "kinisi")
def kinisi(n_frames: int, folder: Path) -> Run:
    import scipp
    from kinisi.displacement import calculate_msd
    from kinisi.parser import Parser

    wrapped = walkers(n_frames) % BOX / BOX
    coordinates = scipp.array(dims=["time", "particle", "dimension"], values=wrapped)
    cells = np.tile(np.eye(3) * BOX, (n_frames, 1, 1))
    lattice = scipp.array(dims=["time", "dimension1", "dimension2"], values=cells, unit="angstrom")
    lags = np.unique(np.append(np.geomspace(1, n_frames // 2, 100).astype(int), _LAG))
    intervals = scipp.array(dims=["time interval"], values=100.0 * lags, unit="fs")
    nobody = scipp.array(dims=["particle"], values=np.array([], dtype=int))

    def run() -> float:
        parser = Parser(
            coordinates,
            lattice,
            scipp.scalar(100.0, unit="fs"),
            scipp.scalar(1.0),
            dt=intervals,
            specie_indices=scipp.arange("particle", N_IONS),
            drift_indices=nobody,
        )
        return float(calculate_msd(parser, progress=False)["da"].values[list(lags).index(_LAG)])

    return run
