"""A known number and a ridge beside it: the weights are those of least variance, and the anchor is what is left."""

import numpy as np
import pytest

from mlip_sse.errors import InputError
from mlip_sse.properties.contract import regressor
from mlip_sse.properties.learner import Training
from mlip_sse.properties.models.anchored import Anchored, weight_of_anchor


def made(seed, n_groups=12, noise=0.2):
    """Ten rows a group: an anchor with its error, a feature that says the target, one that says nothing."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n_groups), 10)
    y = rng.normal(size=len(groups))
    x = np.column_stack([y + noise * rng.normal(size=len(y)), np.full(len(y), noise), y, rng.normal(size=len(y))])
    return x, y, groups


def fitted(x, y, groups, **settings):
    signs = np.zeros(len(y), dtype=np.int8)
    return Anchored(**settings).fit(Training(x, y, signs, groups, None, 0))


@pytest.mark.parametrize("rho", [-0.5, 0.0, 0.4])
def test_the_weights_have_the_least_variance(rho):
    sigma, tau = np.array([0.1, 0.3, 1.0]), 0.4
    weight = weight_of_anchor(sigma, tau, rho)

    def variance(w):
        return (w * sigma) ** 2 + ((1 - w) * tau) ** 2 + 2 * w * (1 - w) * rho * sigma * tau

    least = np.min([variance(w) for w in np.linspace(0, 1, 2001)], axis=0)
    np.testing.assert_allclose(variance(weight), least, rtol=1e-4)  # the step of the search


def test_a_ridge_that_knows_the_target_needs_no_anchor():
    x, y, groups = made(0)
    asked, truth, _ = made(1)
    found = fitted(x, y, groups).predict(asked, None)[0]
    assert np.abs(found - truth).mean() < 0.1 * np.abs(asked[:, 0] - truth).mean()


def test_a_ridge_that_does_not_carry_over_leaves_the_anchor():
    x, y, groups = made(0)
    rng = np.random.default_rng(2)
    x[:, 2] = rng.normal(size=12)[groups] * 30.0  # a number of the group, by which the ridge is led astray
    x[:, 0] = y + 0.02 * rng.normal(size=len(y))
    x[:, 1] = 0.02
    asked = x + 0.0
    asked[:, 2] = 1e3
    found = fitted(x, y, groups).predict(asked, None)[0]
    assert np.abs(found - y).mean() < 1.5 * np.abs(x[:, 0] - y).mean()


def test_rows_are_weighed_one_by_one():
    x, y, groups = made(0)
    x[:, 2] = y + 0.3 * np.random.default_rng(3).normal(size=len(y))
    known = np.arange(len(y)) % 2 == 0
    rng = np.random.default_rng(4)
    x[:, 1] = np.where(known, 0.03, 1.0)
    x[:, 0] = y + x[:, 1] * rng.normal(size=len(y))
    found, spread = fitted(x, y, groups).predict(x, None)
    off = np.abs(found - y)
    assert off[known].mean() < 0.06  # 0.8 × 0.03 and a little of the ridge
    assert off[~known].mean() < 0.5 * np.abs(x[:, 0] - y)[~known].mean()
    assert spread[known].max() < spread[~known].min()


def test_one_group_alone_leaves_the_anchor_and_a_missing_one_the_ridge():
    x, y, _ = made(0)
    alone = fitted(x, y, np.zeros(len(y), dtype=np.intp))
    np.testing.assert_allclose(alone.predict(x, None)[0], x[:, 0])
    x, y, groups = made(0)
    asked = x.copy()
    asked[:, 0] = np.nan
    found, spread = fitted(x, y, groups).predict(asked, None)
    assert np.abs(found - y).mean() < 0.1
    assert np.isfinite(spread).all()


def test_an_anchor_without_an_error_counts_as_a_factor_of_two():
    x, y, groups = made(0)
    x[:, 2] = np.random.default_rng(5).normal(size=len(y))
    x[::2, 1] = np.nan
    found = fitted(x, y, groups)
    without, given = x.copy(), x.copy()
    without[:, 1], given[:, 1] = np.nan, 0.3
    assert found.predict(without, None)[1] == pytest.approx(found.predict(given, None)[1], rel=1e-9)


def test_bad_input_is_one_line():
    x, y, groups = made(0)
    for features, settings, message in (
        (x[:, :1], {}, "found no anchor"),
        (np.where(np.arange(4) == 0, np.nan, x), {}, "found no anchor"),
        (x, {"penalties": ()}, "expected positive"),
        (x, {"unresolved": 0.0}, "expected positive"),
    ):
        with pytest.raises(InputError, match=message) as raised:
            fitted(features, y, groups, **settings)
        assert "\n" not in str(raised.value)


def test_as_a_regressor_it_sees_the_numbers_as_they_stand():
    x, y, groups = made(0)
    model = regressor("anchored", n_folds=3).fit(1.0 * x, y, groups=groups)
    direct = fitted(x, y, groups).predict(x, None)[0]
    np.testing.assert_allclose(model.predict(x).value, direct, rtol=1e-9)


def test_it_is_not_taken_for_a_linear_model():
    """Explaining takes a learner with ``coefficients`` for a line in what it sees, which this one is not."""
    x, y, groups = made(0)
    assert not hasattr(fitted(x, y, groups), "coefficients")
