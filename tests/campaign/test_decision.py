"""A campaign stops on its answer, and on nothing less."""

import math

import pytest

from mlip_sse.campaign.decision import alarm_share, conductivity_criterion, decide, is_quiet, movement, shift
from mlip_sse.campaign.learning_specs import DecisionSpec

WANTED = DecisionSpec()


def interval(value, relative=0.2):
    return {"value": value, "low": value / (1 + relative), "high": value * (1 + relative), "confidence": 0.95}


def segment(ended=None, excess=(0.2, 0.3)):
    times = [0.1 * k for k in range(len(excess))]
    looks = {"excess": list(excess), "time_ps": times}
    return {"ended": ended, "looks": looks, "temperatures_k": [300.0, 1300.0], "wanted_ps": 1.0}


CALM = (segment(), segment())


def round_of(error=0.080, shift=1.0, segments=CALM, probe=True):
    answer = {
        "temperatures_k": [600.0, 900.0],
        "diffusivity_cm2_s": [interval(1e-6 * shift), interval(1e-5 * shift)],
        "activation_energy_ev": interval(0.25),
        "conductivity_300k_ms_cm": interval(1.0),
    }
    errors = {"force_ev_a": {"rmse": error}}
    share = alarm_share(segments)
    return {"exploration": list(segments), "alarm_share": share, "errors": errors, "probe": answer if probe else None}


def test_it_stops_where_all_holds_and_says_why():
    decision = decide([round_of(), round_of(0.078)], WANTED)
    assert decision.stop
    assert len(decision.reasons) == 4
    assert "80, 78 meV/Å" in " ".join(decision.reasons)
    assert decision.to_dict()["stop"] is True


@pytest.mark.parametrize(
    ("second", "missing"),
    [
        (round_of(0.060), "force error"),
        (round_of(shift=2.0), "the answer"),
        (round_of(probe=False), "the answer"),
        (round_of(segments=(segment({"kind": "exploded", "reason": "x"}),)), "came to their end"),
        (round_of(segments=(segment(excess=(2.0, 0.1)),)), "above the alarm"),
    ],
)
def test_one_thing_missing_is_enough_to_go_on(second, missing):
    decision = decide([round_of(), second], WANTED)
    assert not decision.stop
    assert len(decision.reasons) == 1
    assert missing in decision.reasons[0]


def test_one_round_is_never_enough():
    assert not decide([round_of()], WANTED).stop


def test_only_the_last_rounds_count():
    bad = round_of(0.5, segments=(segment({"kind": "grade", "reason": "x"}),), probe=False)
    assert decide([bad, round_of(), round_of()], WANTED).stop


def test_movement_is_in_joint_half_widths():
    one, other = interval(1.0, 0.2), interval(1.1, 0.2)
    assert movement(one, other) == pytest.approx(math.log(1.1) / (math.sqrt(2) * math.log(1.2)))
    assert movement(one, other) == pytest.approx(movement(other, one))
    assert movement(one, one) == 0.0
    assert movement(one, None) is None
    assert movement(one, {"value": None, "low": 0.0, "high": 1.0}) is None


def test_an_activation_energy_may_reach_below_zero():
    """Two probes of one campaign, as they were found: 1.26 joint half-widths apart, so that the answer stayed."""
    one = {"value": 0.153, "low": 0.0975, "high": 0.208}
    other = {"value": 0.05, "low": -0.0112, "high": 0.111}
    assert shift(one, other) == pytest.approx(0.103 / math.hypot(0.05525, 0.0611))
    assert shift(other, one) == pytest.approx(shift(one, other))
    assert shift(one, None) is None
    assert shift(one, {"value": None, "low": 0.0, "high": 1.0}) is None
    probes = [{"diffusivity_cm2_s": [interval(1e-5)], "activation_energy_ev": each} for each in (one, other)]
    assert conductivity_criterion([{"probe": probe} for probe in probes]).met
    probes[1]["activation_energy_ev"] = {"value": -0.05, "low": -0.1, "high": 0.0}
    assert not conductivity_criterion([{"probe": probe} for probe in probes]).met


def test_alarms_are_counted_over_all_looks():
    rounds = [segment(excess=(0.5, 1.5)), segment(excess=(0.5, 0.5))]
    assert alarm_share(rounds) == 0.25
    assert alarm_share([segment(excess=())]) == 0.0
    assert not is_quiet(round_of(segments=rounds), WANTED)
    assert is_quiet(round_of(), WANTED)


def test_alarms_beyond_the_temperatures_of_the_answer_do_not_count():
    """The thermostat goes from 300 to 1300 K in 1 ps: the fourth look is at 600 K."""
    hot = [segment(excess=(0.5, 0.5, 1.5, 1.5, 1.5))]
    assert alarm_share(hot, 590.0) == pytest.approx(1 / 3)
    assert alarm_share(hot, 480.0) == 0.0
    assert alarm_share(hot) == 0.6
