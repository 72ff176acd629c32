"""Figures of a run from its state, held against tables made by hand, and what is said of them."""

import numpy as np
import pytest

from mlip_sse.md_protocols.interface_decks import STATE_COLUMNS
from mlip_sse.md_protocols.interface_state import run_figures, run_verdict


def table(n_rows, every, start=0, **columns):
    """Return the rows of one segment: steps, and what is given, else a constant."""
    values = {
        "step": start + every * np.arange(1, n_rows + 1),
        "temperature_k": 300.0,
        "inner_temperature_k": 300.0,
        "outer_a_temperature_k": 299.0,
        "outer_b_temperature_k": 301.0,
        "potential_energy_ev": -100.0,
        "conserved_energy_ev": -90.0,
        "height_a": 40.0,
        "pressure_z_gpa": 0.0,
        "heat_left_a_ev": 0.0,
        "heat_left_b_ev": 0.0,
    } | columns
    return np.column_stack([np.broadcast_to(values[name], n_rows) for name in STATE_COLUMNS]).astype(float)


def test_figures_of_two_segments():
    rise = np.linspace(0, 1, 20)
    first = table(20, 100, heat_left_a_ev=rise, heat_left_b_ev=2 * rise, conserved_energy_ev=-90 + 0.1 * rise)
    second = table(
        20, 100, start=2000, heat_left_a_ev=rise, conserved_energy_ev=-80 + 0.1 * rise, potential_energy_ev=-102.0
    )
    second[:, STATE_COLUMNS.index("inner_temperature_k")] = 330.0
    found = run_figures([first, second], 300.0, 2.0, 50, 24)
    assert found["inner_temperature_k"] == pytest.approx(315.0)
    assert found["inner_excess_k"] == pytest.approx(15.0)
    assert found["inner_peak_k"] == pytest.approx(330.0)
    assert found["inner_fluctuation_k"] == pytest.approx(300.0 * np.sqrt(2 / 72))
    assert found["outer_temperatures_k"] == pytest.approx([299.0, 301.0])
    assert found["heat_left_ev"] == pytest.approx([2.0, 2.0])
    assert found["energy_change_ev_atom"] == pytest.approx(-2.0 / 50)
    # 0.1 eV over the 19 intervals of 0.2 ps, in each segment from its own zero.
    assert found["conserved_drift_mev_atom_ps"] == pytest.approx(1000 * 0.1 / (19 * 0.2) / 50)
    assert found["height_change"] == pytest.approx(0.0)


def test_errors_are_those_of_block_means():
    rng = np.random.default_rng(5)
    values = 300 + rng.normal(0, 20, 4000)
    found = run_figures([table(4000, 50, inner_temperature_k=values)], 300.0, 1.0, 100, 50)
    assert found["inner_temperature_error_k"] == pytest.approx(20 / np.sqrt(4000), rel=0.8)  # from eight blocks
    short = run_figures([table(1, 50)], 300.0, 1.0, 100, 50)
    assert short["inner_temperature_error_k"] == np.inf


def run(**changes):
    figures = run_figures([table(40, 100)], 300.0, 1.0, 100, 60)
    return {"temperature_k": 300.0, "ended": None, "n_segments_done": 2, "grades": None, **figures, **changes}


def verdict(found, **changes):
    return run_verdict(found, **{"pressure_gpa": 0.0, "is_fixed": False, "metals": [], **changes})


def test_a_quiet_run_passes():
    assert verdict(run()).quality == "pass"
    grades = {"n_frames": 40, "n_above_alarm": 0, "largest_excess": 0.7}
    assert verdict(run(grades=grades)).quality == "pass"
    assert verdict(run(), metals=["Li"]).quality == "pass"


@pytest.mark.parametrize(
    ("found", "settings", "reason"),
    [
        (
            {"inner_excess_k": 60.0, "inner_temperature_k": 360.0},
            {},
            "found 360 K on average, expected 300: heat of rea",
        ),
        ({"inner_excess_k": -60.0, "inner_temperature_k": 240.0}, {}, "expected 300: it has not warmed up"),
        ({"conserved_drift_mev_atom_ps": -2.0}, {}, "conserved energy drifts by -2 meV/atom/ps.*lower timestep_fs"),
        ({"pressure_z_gpa": 0.4}, {}, "found 0.40 GPa along z on average, expected 0: heat it longer"),
        ({"pressure_z_gpa": 0.0}, {"pressure_gpa": 1.0}, "found 0.00 GPa along z on average, expected 1"),
        ({"temperature_k": 460.0}, {"metals": ["Li"]}, "Li metal at 460 K: above about 450 K it is a liquid"),
        (
            {"grades": {"n_frames": 40, "n_above_alarm": 7, "largest_excess": 12.0}},
            {},
            "7 of 40 frames are above the alarm of the grade, the worst 12 times its limit",
        ),
        (
            {"ended": {"stage": "segment_0002", "kind": "exploded", "reason": "hot"}},
            {},
            "ended in segment_0002: exploded",
        ),
    ],
)
def test_doubts_are_said(found, settings, reason):
    said = verdict(run(**found), **settings)
    assert said.quality == "weak"
    assert len(said.reasons) == 1
    import re

    assert re.search(reason, said.reasons[0])


def test_a_deviation_within_the_fluctuation_of_few_atoms_is_none():
    assert verdict(run(inner_excess_k=20.0)).quality == "pass"
    assert verdict(run(inner_excess_k=40.0)).quality == "weak"


def test_a_height_that_was_fixed_may_be_under_pressure():
    assert verdict(run(pressure_z_gpa=2.0), is_fixed=True).quality == "pass"


def test_a_run_without_a_segment_is_refused():
    ended = {"stage": "heat", "kind": "lost_atoms", "reason": "ERROR: Lost atoms"}
    said = verdict({"temperature_k": 300.0, "ended": ended, "n_segments_done": 0}, metals=["Li"])
    assert (said.quality, said.reasons) == ("refused", ("ended in heat: lost_atoms: ERROR: Lost atoms",))
