"""What our kernels make of two cores, and the memory that they need beyond the trajectory."""

from pathlib import Path

import numpy as np

from benchmarks.registry import OURS, Run, case
from benchmarks.synthetic import BOX, N_IONS, walkers

__all__: list[str] = []


def _ions_first(n_frames: int, dtype: type[np.floating]) -> np.ndarray:
    return np.ascontiguousarray(walkers(n_frames).transpose(1, 2, 0), dtype=dtype)


@case("cores", "displacement moments, 100 log lags", OURS)
def moments(n_frames: int, folder: Path) -> Run:
    from mlip_sse.analysis.transport.displacement.displacements import displacement_moments
    from mlip_sse.analysis.transport.displacement.lags import log_lags

    positions, lags = _ions_first(n_frames, np.float32), log_lags(n_frames)
    return lambda: float(displacement_moments(positions, lags).msd[-1])


@case("cores", "squared displacements by time bin, 100 log lags", OURS)
def squares_in_time(n_frames: int, folder: Path) -> Run:
    from mlip_sse.analysis.transport.displacement.lags import log_lags
    from mlip_sse.analysis.transport.displacement.time_bins import time_bins

    positions, lags = _ions_first(n_frames, np.float32), log_lags(n_frames)
    return lambda: float(time_bins(positions, lags).sums.sum())


def _transport_moments(n_frames: int, dtype: type[np.floating]) -> Run:
    from mlip_sse import Trajectory
    from mlip_sse.analysis.transport.displacement.displacements import transport_moments
    from mlip_sse.analysis.transport.displacement.lags import log_lags

    def trajectory(length: int) -> Trajectory:
        cells = np.broadcast_to(BOX * np.eye(3), (length, 3, 3))
        positions = walkers(length).astype(dtype)
        return Trajectory(np.array(["Li"] * N_IONS), np.full(N_IONS, 6.94), positions, cells, frame_spacing_fs=100.0)

    ions, charges, lags = np.arange(N_IONS), np.ones(N_IONS), log_lags(n_frames)
    transport_moments(trajectory(10), ions, charges, [1])  # load the kernels
    whole = trajectory(n_frames)
    return lambda: float(transport_moments(whole, ions, charges, lags)[0].msd[-1])


@case("memory", "ion and charge moments, float32 trajectory", OURS)
def moments_float32(n_frames: int, folder: Path) -> Run:
    return _transport_moments(n_frames, np.float32)


@case("memory", "ion and charge moments, float64 trajectory", OURS)
def moments_float64(n_frames: int, folder: Path) -> Run:
    return _transport_moments(n_frames, np.float64)
