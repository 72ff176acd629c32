"""The analysis of a density as a whole, and its pictures: what is drawn lies where the ions are."""

import dataclasses

import numpy as np
import pytest

from mlip_sse.analysis.results import Quality
from mlip_sse.analysis.structure.density_analysis import DensityMaps
from mlip_sse.analysis.structure.density_display import channel_scene, plot_slice
from mlip_sse.errors import InputError
from mlip_sse.trajectory.model import Trajectory

SLANTED = np.array([[8.0, 0.0, 0.0], [3.1, 7.4, 0.0], [-2.7, 2.2, 6.9]])


def channel_run(n_frames=3000, temperature_k=500.0):
    """One ion along a, spread evenly but for a denser place at 0.3; 0.25 Å wide across, at 0.6 b and 0.4 c."""
    rng = np.random.default_rng(1)
    along = np.where(rng.uniform(size=n_frames) < 0.5, rng.uniform(0, 1, n_frames), 0.3 + rng.normal(0, 0.03, n_frames))
    fractions = np.column_stack([along, np.full(n_frames, 0.6), np.full(n_frames, 0.4)])
    positions = fractions @ SLANTED + rng.normal(0, 0.25, (n_frames, 3))
    run = Trajectory.from_arrays(["Li"], positions[:, None], SLANTED, 100.0, wrapped=False)
    return dataclasses.replace(run, temperature_k=temperature_k, reference="framework: S")


def test_a_channel_along_a_has_its_barrier_and_none_along_b_and_c():
    result = DensityMaps(resolution_a=0.3, smoothing_a=0.35).run(channel_run())
    assert result.n_frames == 3000
    assert result.density.n_ions == pytest.approx(1.0)
    np.testing.assert_allclose(result.peaks.fractions[0], [0.3, 0.6, 0.4], atol=0.02)
    barrier, *others = result.percolation.axes_ev
    # density along the line: (1 + N(0.3, w²)/...)/2 with w from the spread, the vibration and the smoothing, in Å
    width = np.sqrt((0.03 * 8.0) ** 2 + 0.25**2 + 0.35**2)
    wanted = 8.617333e-5 * 500.0 * np.log(1 + 8.0 / (np.sqrt(2 * np.pi) * width))
    assert barrier.low < wanted < barrier.high + 0.02  # the lowest of many points lies below their mean
    assert others == [None, None]
    assert result.verdict.quality is Quality.WEAK
    assert "no channel along b" in result.verdict.reasons[0]
    assert result.isosurface_level == pytest.approx(
        float(result.density.values.max()) * np.exp(-barrier.value / (8.617333e-5 * 500.0)), rel=1e-6
    )


def test_without_a_temperature_or_a_reference_it_says_so():
    run = dataclasses.replace(channel_run(300), temperature_k=None, reference="none")
    result = DensityMaps(smoothing_a=0.4).run(run)
    assert result.free_energy is None
    assert "drift of the framework" in result.verdict.reasons[0]
    assert "temperature is not known" in result.verdict.reasons[1]


def test_the_slice_shows_the_peak_where_it_is():
    result = DensityMaps(resolution_a=0.3, smoothing_a=0.3).run(channel_run())
    figure = plot_slice(result)
    axes = figure.axes[0]
    *_, marks = axes.lines
    wanted = 0.3 * 8.0 + 0.6 * SLANTED[1, 0], 0.6 * SLANTED[1, 1]
    np.testing.assert_allclose(marks.get_xydata()[0], wanted, atol=0.2)
    mesh = axes.collections[0]
    corners, values = mesh.get_coordinates(), mesh.get_array()
    lowest = np.unravel_index(np.ma.argmin(values), values.shape)
    np.testing.assert_allclose(corners[lowest], wanted, atol=0.5)
    assert figure.axes[1].get_ylabel() == "F (eV) of Li"
    with pytest.raises(InputError, match="found normal 3"):
        plot_slice(result, normal=3)


def test_the_scene_shows_surfaces_around_the_channel():
    result = DensityMaps(resolution_a=0.25, smoothing_a=0.3).run(channel_run())
    scene = channel_scene(result)
    surfaces = [trace for trace in scene.data if trace.type == "mesh3d"]
    assert len(surfaces) == 2
    for surface in surfaces:
        points = np.column_stack([surface.x, surface.y, surface.z])
        s = points @ np.linalg.inv(SLANTED)
        off = (s - [0.0, 0.6, 0.4]) * [0, 1, 1] @ SLANTED
        assert np.linalg.norm(off, axis=1).max() < 1.6
        assert len(surface.i) <= 60_000
    assert surfaces[0].x.max() - surfaces[0].x.min() > 7.9  # the outer one spans the cell
    with pytest.raises(InputError, match="found the level 1000 Å⁻³, expected one between"):
        channel_scene(result, level=1000.0)
