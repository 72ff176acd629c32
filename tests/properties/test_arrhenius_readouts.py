"""Readouts of Arrhenius on trees: lines that go on beyond the temperatures, and lines in 1/(T − θ)."""

import numpy as np
import pytest

from mlip_sse.errors import InputError
from mlip_sse.properties.contract import regressor
from mlip_sse.properties.storage import read_model, write_model

SMALL = {"n_trees": 20, "base_settings": {"n_trees": 20, "takes_median": True}}
GROUPS = np.repeat(np.arange(40), 4)


@pytest.fixture(scope="module")
def lines():
    """Forty formulations with exact lines, features (160, 2), temperatures, slopes and targets."""
    rng = np.random.default_rng(1)
    x = np.repeat(rng.normal(size=(40, 2)), 4, axis=0)
    kelvin = np.tile([320.0, 340.0, 360.0, 380.0], 40)
    slope = 2.0 + 0.5 * np.tanh(x[:, 0])
    return x, kelvin, slope, x[:, 1] - slope * (1000 / kelvin - 2.8)


def test_inside_the_temperatures_it_is_the_model_itself(lines):
    x, kelvin, _, y = lines
    beyond = regressor("arrhenius_beyond", n_folds=3, tail=0.0, **SMALL).fit(x, y, groups=GROUPS, temperature_k=kelvin)
    plain = regressor("extra_trees", n_folds=3, **SMALL["base_settings"]).fit(x, y, groups=GROUPS, temperature_k=kelvin)
    asked = {"temperature_k": np.linspace(325.0, 375.0, len(x))}
    np.testing.assert_allclose(beyond.predict(x, **asked).value, plain.predict(x, **asked).value, atol=1e-6)
    np.testing.assert_allclose(beyond.predict(x, **asked).low, plain.predict(x, **asked).low, atol=1e-6)


def test_beyond_them_it_goes_on_along_the_line_of_the_formulation(lines, tmp_path):
    x, kelvin, slope, y = lines
    fitted = regressor("arrhenius_beyond", n_folds=3, tail=0.0, **SMALL).fit(x, y, groups=GROUPS, temperature_k=kelvin)
    at, cold = np.full(len(x), 320.0), np.full(len(x), 260.0)
    gone = fitted.predict(x, temperature_k=at).value - fitted.predict(x, temperature_k=cold).value
    # slopes are drawn to the pooled one a little, and leaves hold two formulations of forty
    assert np.corrcoef(gone, slope)[0, 1] > 0.9
    np.testing.assert_allclose(gone, slope * (1000 / 260.0 - 1000 / 320.0), rtol=0.25)
    plain = regressor("extra_trees", n_folds=3, n_trees=20).fit(x, y, groups=GROUPS, temperature_k=kelvin)
    truth = x[:, 1] - slope * (1000 / cold - 2.8)
    errors = [np.abs(each.predict(x, temperature_k=cold).value - truth).mean() for each in (fitted, plain)]
    assert errors[0] < 0.3 * errors[1]
    write_model(tmp_path / "model", fitted, {})
    again, _ = read_model(tmp_path / "model")
    np.testing.assert_allclose(again.predict(x, temperature_k=cold).low, fitted.predict(x, temperature_k=cold).low)


def test_a_network_within_keeps_its_own_temperature(lines):
    pytest.importorskip("torch")
    x, kelvin, _, y = lines
    small = {"n_epochs": 3, "n_members": 2, "n_hidden": 8}
    fitted = regressor("arrhenius_beyond", n_folds=3, tail=0.0, n_trees=10, base="network", base_settings=small).fit(
        x, y, groups=GROUPS, temperature_k=kelvin
    )
    plain = regressor("network", n_folds=3, **small).fit(x, y, groups=GROUPS, temperature_k=kelvin)
    np.testing.assert_allclose(
        fitted.predict(x, temperature_k=kelvin).value, plain.predict(x, temperature_k=kelvin).value, atol=1e-5
    )


def test_a_shift_straightens_lines_of_vogel_tammann_and_fulcher():
    rng = np.random.default_rng(3)
    x = np.repeat(rng.normal(size=(40, 2)), 4, axis=0)
    kelvin = np.tile([320.0, 340.0, 360.0, 380.0], 40)
    y = x[:, 1] - 0.6 * (1000 / (kelvin - 200.0) - 6.5)
    cold = np.full(len(x), 270.0)
    truth = x[:, 1] - 0.6 * (1000 / 70.0 - 6.5)
    errors = {}
    for shift in (0.0, 200.0):
        fitted = regressor("arrhenius_trees", n_folds=3, n_trees=20, shift_k=shift).fit(
            x, y, groups=GROUPS, temperature_k=kelvin
        )
        errors[shift] = np.abs(fitted.predict(x, temperature_k=cold).value - truth).mean()
    assert errors[200.0] < 0.05
    assert errors[0.0] > 1.0
    with pytest.raises(InputError, match="found a shift of 200 K and a row at 150 K"):
        fitted.predict(x, temperature_k=np.full(len(x), 150.0))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"base": "arrhenius_network"}, "a model of features without a readout of its own"),
        ({"base": "set_network"}, "a model of features without a readout of its own"),
        ({"base": "lasso"}, "no model 'lasso'"),
        ({"tail": 0.5}, "expected 0 or more and less than 0.5"),
    ],
)
def test_settings_that_make_no_sense_are_one_line(settings, message, lines):
    x, kelvin, _, y = lines
    with pytest.raises(InputError, match=message) as raised:
        regressor("arrhenius_beyond", **settings).fit(x, y, temperature_k=kelvin)
    assert "\n" not in str(raised.value)


def test_what_has_no_line_is_refused(lines):
    x, kelvin, _, y = lines
    model = regressor("arrhenius_beyond", n_folds=3, **SMALL)
    with pytest.raises(InputError, match="expected some materials at two or more"):
        model.fit(x[::4], y[::4], temperature_k=kelvin[::4])
    with pytest.raises(InputError, match="lines that fall with temperature"):
        model.fit(x, -y, groups=GROUPS, temperature_k=kelvin)
    with pytest.raises(InputError, match="expected one a row"):
        model.fit(x, y, groups=GROUPS)
