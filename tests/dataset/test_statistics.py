"""Counts and spreads against plain loops; the plots are figures that hold every atom."""

import dataclasses

import numpy as np
import pytest
from matplotlib.figure import Figure

from mlip_sse.dataset import doubts_about_stress, plot_compositions, plot_forces, plot_volumes, summarise
from mlip_sse.errors import InputError
from tests.dataset.labelled import copper


@pytest.fixture(scope="module")
def frames():
    return [copper(seed, group=f"run {seed % 2}", strain=0.01 * seed) for seed in range(4)]


def test_numbers(frames):
    alloyed = dataclasses.replace(frames[0], symbols=("Ag", *frames[0].symbols[1:]), stress=None)
    found = summarise([*frames, alloyed])
    squares = [float(x) ** 2 for frame in [*frames, alloyed] for x in frame.forces.ravel()]
    assert found.force_rms == pytest.approx((sum(squares) / len(squares)) ** 0.5)
    assert found.elements == {"Ag": 1, "Cu": 39}
    assert found.compositions == {"Cu8": 4, "Ag1Cu7": 1}
    assert (found.n_frames, found.n_atoms, found.n_groups, found.n_with_stress) == (5, 40, 2, 4)
    assert found.largest_force == pytest.approx(max(np.linalg.norm(f.forces, axis=1).max() for f in frames))
    assert found.pressure_gpa[0] < 0 < found.pressure_gpa[1] + 5  # the stretched cells pull
    assert found.volume_per_atom[1] / found.volume_per_atom[0] == pytest.approx(1.03**3)
    assert found.to_dict()["n_frames"] == 5


def test_plots(frames):
    assert isinstance(plot_compositions(frames), Figure)
    (axes,) = plot_forces(frames).axes
    heights = axes.patches[0].get_path().vertices[:, 1] if axes.patches else np.array([])
    assert heights.max() > 0
    (axes,) = plot_volumes(frames).axes
    assert sum(patch.get_height() for patch in axes.patches) == 4


def test_nothing_is_refused(frames):
    for function in (summarise, plot_compositions, plot_forces, plot_volumes):
        with pytest.raises(InputError, match="found no frames"):
            function([])
    free = dataclasses.replace(frames[0], pbc=(False, False, False))
    with pytest.raises(InputError, match="no periodic frame"):
        plot_volumes([free])


def turned(frames, factor):
    return [dataclasses.replace(frame, stress=factor * frame.stress) for frame in frames]


def test_stress_against_volume(frames):
    """Copper's own stresses pass; turned ones, and kbar read as eV/Å³, are doubted; without volume change nothing."""
    assert doubts_about_stress(frames) == ()
    assert "reversed" in doubts_about_stress(turned(frames, -1.0))[0]
    assert "unit" in doubts_about_stress(turned(frames, 1602.0))[0]
    assert "unit" in doubts_about_stress(turned(frames, 1 / 1602.0))[0]
    still = [copper(seed) for seed in range(4)]
    assert doubts_about_stress(turned(still, -1.0)) == ()
