"""One contract for every model: it learns, its intervals hold what they say, it is stored and read without a pickle."""

import numpy as np
import pytest

from mlip_sse.errors import InputError, SpecError
from mlip_sse.properties.contract import CLASSIFIERS, MODELS, Fitted, FittedClassifier, classifier, regressor
from mlip_sse.properties.learner import Training
from mlip_sse.properties.storage import read_model, write_model
from tests.properties.learnable import SMALL, learnable_table, library_of

TRAIN, TEST = np.arange(60), np.arange(60, 90)


def needed(name):
    library = library_of(name)
    if library is not None:
        pytest.importorskip(library)


@pytest.fixture(scope="module")
def sample():
    return learnable_table()


@pytest.mark.parametrize(
    "name", [name for name in MODELS if name not in ("constant", "arrhenius_trees", "arrhenius_beyond")]
)
def test_a_regressor_keeps_the_contract(name, sample, tmp_path):
    needed(name)
    features, y, groups, fractions = sample
    rows = fractions if MODELS[name].eats == "fractions" else features
    kelvin = np.full(len(y), 300.0) if name.startswith("arrhenius") else None
    limits = np.where(y < -2.0, -1, 0)
    shown = np.where(limits < 0, -2.0, y)
    model = regressor(name, n_folds=3, **SMALL[name])
    own = None if kelvin is None else kelvin[TRAIN]
    fitted = model.fit(rows[TRAIN], shown[TRAIN], censored=limits[TRAIN], groups=groups[TRAIN], temperature_k=own)
    assert isinstance(fitted, Fitted)
    asked = {} if kelvin is None else {"temperature_k": kelvin[TEST]}
    found = fitted.predict(rows[TEST], **asked)
    # 30 materials: smooth models halve the error of the training mean, steps of trees take a quarter off it
    share = 0.75 if MODELS[name].at.split(":")[0].endswith(("forests", "boosting", "adaboost")) else 0.5
    assert np.abs(found.value - y[TEST]).mean() < share * np.abs(y[TEST] - y[TRAIN].mean()).mean()
    assert np.all((found.low <= found.value) & (found.value <= found.high))
    wider = fitted.predict(rows[TEST], confidence=0.95, **asked)
    assert np.all(wider.high - wider.low >= found.high - found.low)
    write_model(tmp_path / "model", fitted, {"name": name})
    again, about = read_model(tmp_path / "model")
    assert about == {"name": name}
    np.testing.assert_allclose(again.predict(rows[TEST], **asked).low, found.low, rtol=1e-12)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_keeps_the_contract(name, sample, tmp_path):
    needed(name)
    features, y, groups, fractions = sample
    rows = fractions if CLASSIFIERS[name].eats == "fractions" else features
    classes = (y > 0).astype(float)
    settings = {key: value for key, value in SMALL[name].items() if key != "cost"}
    fitted = classifier(name, n_folds=3, **settings).fit(rows[TRAIN], classes[TRAIN], groups=groups[TRAIN])
    assert isinstance(fitted, FittedClassifier)
    found = fitted.predict(rows[TEST])
    assert np.all((found.probability > 0) & (found.probability < 1))
    assert np.mean((found.probability > 0.5) == (classes[TEST] > 0.5)) > 0.75
    write_model(tmp_path / "model", fitted, {})
    again, _ = read_model(tmp_path / "model")
    np.testing.assert_allclose(again.predict(rows[TEST]).probability, found.probability, rtol=1e-12)


def test_far_away_the_interval_is_wider_and_the_distance_says_so(sample):
    features, y, groups, _ = sample
    fitted = regressor("linear", n_folds=3).fit(features, y, groups=groups)
    near, far = fitted.predict(features[:1]), fitted.predict(features[:1] + 40.0)
    assert not near.outside[0]
    assert far.outside[0]
    assert far.distance[0] > 20 * near.distance[0] + 10
    assert (far.high - far.low)[0] > 5 * (near.high - near.low)[0]


def test_limits_are_used_as_limits():
    """A censored half pulls a fit that takes limits for values; used as limits they give back the line."""
    rng = np.random.default_rng(5)
    x = rng.uniform(-2, 2, (120, 1))
    y = 3.0 * x[:, 0] + 0.3 * rng.normal(size=120)
    limits = np.where(y < -1.0, -1, 0)
    shown = np.where(limits < 0, -1.0, y)
    asked = np.array([[-1.5]])
    naive = regressor("linear", penalty=0.01).fit(x, shown).predict(asked).value[0]
    honest = regressor("linear", penalty=0.01).fit(x, shown, censored=limits).predict(asked).value[0]
    imputed = regressor("pls", n_components=1).fit(x, shown, censored=limits).predict(asked).value[0]
    process = regressor("gaussian_process", n_steps=8).fit(x, shown, censored=limits).predict(asked).value[0]
    assert naive > -3.0
    assert honest == pytest.approx(-4.5, abs=0.3)  # a third of the rows are limits; the slope is known to 0.05
    assert imputed < naive - 0.5
    assert process < -1.0


def test_the_tobit_line_is_that_of_exact_rows_where_nothing_is_censored(sample):
    features, y, _, _ = sample
    fitted = regressor("linear", penalty=1e-9).fit(features, y)
    design = np.column_stack([features, np.ones(len(y))])
    expected = design @ np.linalg.lstsq(design, y, rcond=None)[0]
    np.testing.assert_allclose(fitted.predict(features).value, expected, atol=1e-3)


@pytest.mark.parametrize("kernel", ["matern", "laplacian"])
def test_the_process_without_limits_is_the_closed_form(kernel):
    """Against kernels written out row by row and a plain solve."""
    from mlip_sse.properties.models.gaussian_process import GaussianProcess

    def covariance(first, second):
        if kernel == "laplacian":
            return np.array([[np.exp(-np.abs(a - b).sum() / fitted.length) for b in second] for a in first])
        r = np.array([[np.sqrt(5) * np.linalg.norm(a - b) / fitted.length for b in second] for a in first])
        return (1 + r + r**2 / 3) * np.exp(-r)

    rng = np.random.default_rng(7)
    x, y = rng.normal(size=(40, 2)), rng.normal(size=40)
    learner = GaussianProcess(n_steps=3, kernel=kernel)
    fitted = learner.fit(Training(x, y, np.zeros(40, np.int8), np.arange(40), None, 0))
    asked = rng.normal(size=(5, 2))
    known = fitted.variance * covariance(x, x) + fitted.noise**2 * np.eye(40)
    across = fitted.variance * covariance(asked, x)
    standard = (y - y.mean()) / y.std()
    value, spread = fitted.predict(asked, None)
    np.testing.assert_allclose(value, y.mean() + y.std() * across @ np.linalg.solve(known, standard), rtol=1e-8)
    variance = fitted.variance + fitted.noise**2 - np.sum(across * np.linalg.solve(known, across.T).T, axis=1)
    np.testing.assert_allclose(spread, y.std() * np.sqrt(variance), rtol=1e-8)
    with pytest.raises(InputError, match="found the kernel 'cubic', expected matern or laplacian"):
        GaussianProcess(kernel="cubic").fit(Training(x, y, np.zeros(40, np.int8), np.arange(40), None, 0))


def test_the_arrhenius_readout_is_right_where_the_plain_one_has_no_data():
    pytest.importorskip("torch")
    from mlip_sse.properties.models.network import FittedNetwork
    from mlip_sse.units import BOLTZMANN_EV_PER_K

    rng = np.random.default_rng(1)
    x = np.repeat(rng.normal(size=(40, 2)), 4, axis=0)
    kelvin = np.tile([320.0, 340.0, 360.0, 380.0], 40)
    energy = 0.4 + 0.1 * np.tanh(x[:, 0])

    def truth(temperature_k):
        return 1.5 + 0.3 * x[:, 1] - energy / (np.log(10) * BOLTZMANN_EV_PER_K * temperature_k)

    y = truth(kelvin) + 0.02 * rng.normal(size=len(x))
    groups = np.repeat(np.arange(40), 4)
    cold = np.full(len(x), 250.0)
    errors = {}
    settings = {"n_epochs": 120, "n_members": 2, "n_hidden": 16, "learning_rate": 1e-2, "dropout": 0.0}
    for name in ("arrhenius_network", "network"):
        fitted = regressor(name, n_folds=2, **settings).fit(x, y, groups=groups, temperature_k=kelvin)
        errors[name] = np.abs(fitted.predict(x, temperature_k=cold).value - truth(cold)).mean()
        if name == "arrhenius_network":
            assert isinstance(fitted.learner, FittedNetwork)
            _, found = fitted.learner.arrhenius_terms(fitted.preparation.apply(x))
            # noise of 0.02 over a window of 60 K leaves each Ea 0.01 eV, a network of 40 materials a little more
            assert np.abs(found - energy).mean() < 0.03
    assert errors["arrhenius_network"] < 0.5 * errors["network"]


def test_trees_with_the_readout_answer_with_lines():
    """Exact lines of formulations: those that were trained on come back, at a temperature that none was measured at."""
    rng = np.random.default_rng(1)
    x = np.repeat(rng.normal(size=(40, 2)), 4, axis=0)
    kelvin = np.tile([320.0, 340.0, 360.0, 380.0], 40)
    slope = 2.0 + 0.5 * np.tanh(x[:, 0])
    y = x[:, 1] - slope * (1000 / kelvin - 2.8)
    fitted = regressor("arrhenius_trees", n_folds=3, n_trees=20).fit(
        x, y, groups=np.repeat(np.arange(40), 4), temperature_k=kelvin
    )
    cold = np.full(len(x), 250.0)
    found = fitted.predict(x, temperature_k=cold).value
    np.testing.assert_allclose(found, x[:, 1] - slope * (4.0 - 2.8), atol=0.05)  # slopes drawn to their mean a little
    with pytest.raises(InputError, match="expected one a row"):
        fitted.predict(x)
    with pytest.raises(InputError, match="expected some materials at two or more"):
        regressor("arrhenius_trees").fit(x[::4], y[::4], temperature_k=kelvin[::4])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x, y: regressor("lasso"), r"no model 'lasso', expected one of constant, linear"),
        (lambda x, y: regressor("svm", depth=3), "SupportVectors: no setting 'depth', expected one of cost"),
        (lambda x, y: regressor("linear").fit(x, y[:-1]), "expected .90,., one value a row"),
        (lambda x, y: regressor("linear").fit(x * np.nan, y), "all missing or without variance"),
        (lambda x, y: regressor("linear").fit(x, np.where(y > 0, y, np.nan)), "expected it finite: leave it out"),
        (lambda x, y: regressor("linear").fit(x, y, groups=np.zeros(90)), "found 1 materials to fit to"),
        (lambda x, y: regressor("linear").fit(x, y).predict(x[:, :2]), "found 2 features, expected the 5"),
        (lambda x, y: regressor("linear").fit(x, y).predict(x, confidence=90), "must lie between 0 and 1"),
        (lambda x, y: regressor("arrhenius_network").fit(x, y), "the readout of Arrhenius needs them"),
        (lambda x, y: regressor("linear").fit(x, y, censored=np.ones(90)), "found 0 exact values"),
        (lambda x, y: classifier("logistic").fit(x, y), "found a class other than 0 and 1"),
        (lambda x, y: classifier("logistic").fit(x, np.zeros(90)), "expected some of both classes"),
    ],
)
def test_bad_input_is_one_line(call, message, sample):
    with pytest.raises(InputError, match=message) as raised:
        call(sample[0], sample[1])
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["network", "composition_network", "arrhenius_set"])
def test_a_network_is_the_same_whatever_precision_others_left_as_default(name, sample):
    """Other libraries set the default of the whole process, and leave it so."""
    torch = pytest.importorskip("torch")
    features, y, groups, fractions = sample
    rows = fractions if MODELS[name].eats == "fractions" else features
    own = np.full(len(y), 300.0)[TRAIN] if name.startswith("arrhenius") else None
    asked = {} if own is None else {"temperature_k": np.full(len(y), 300.0)[TEST]}
    model = regressor(name, n_folds=3, **{**SMALL[name], "n_epochs": 2})
    found, before = [], torch.get_default_dtype()
    for dtype in (torch.float32, torch.float64):
        torch.set_default_dtype(dtype)
        try:
            fitted = model.fit(rows[TRAIN], y[TRAIN], groups=groups[TRAIN], temperature_k=own)
            found.append(fitted.predict(rows[TEST], **asked).value)
        finally:
            torch.set_default_dtype(before)
    np.testing.assert_allclose(found[1], found[0], rtol=1e-4, atol=1e-4)


def test_a_floor_tells_the_lowest_targets_apart_no_further():
    """Below the floor targets may be anything: the fit is that of the others."""
    from mlip_sse.properties.models.linear import Linear

    rng = np.random.default_rng(5)
    x = rng.normal(size=(200, 3))
    y = x @ np.array([2.0, -1.0, 0.0]) + 0.1 * rng.normal(size=200)
    low = y < np.quantile(y, 0.2)
    wild = np.where(low, y - rng.uniform(0, 20, 200), y)

    def coefficients(target, **settings):
        signs, groups = np.zeros(200, dtype=np.int8), np.arange(200)
        return Linear(**settings).fit(Training(x, target, signs, groups, None, 0)).coefficients

    # The floor is interpolated between two rows, one of them wild.
    assert coefficients(wild, floor_share=0.2) == pytest.approx(coefficients(y, floor_share=0.2), abs=0.01)
    assert coefficients(wild, floor_share=0.2) == pytest.approx([2.0, -1.0, 0.0], abs=0.05)
    assert np.abs(coefficients(wild) - [2.0, -1.0, 0.0]).max() > 0.5


def test_features_beyond_the_clip_count_as_there():
    from mlip_sse.properties.models.linear import FittedLinear

    fitted = FittedLinear(np.array([1.0]), 0.5, 4.0)
    assert fitted.predict(np.array([[3.0], [4.0], [400.0]]), None)[0].tolist() == [3.5, 4.5, 4.5]


def test_a_candidate_sees_the_blocks_that_it_names():
    from mlip_sse.properties.features import featurizer
    from mlip_sse.properties.fitting import model_of
    from mlip_sse.properties.recipes import load_recipe

    recipe = load_recipe("conductivity_new_family")
    first, others = len(featurizer("ionic_chemistry").names), len(recipe.feature_columns)
    n_features = sum(len(featurizer(block).names) for block in recipe.features) + others
    seen = model_of(recipe, n_features, 0).candidates
    assert seen[0].columns == (*range(first), *range(n_features - others, n_features))
    assert seen[-1].columns == tuple(range(n_features))
    plain = recipe.model_dump(mode="json")
    plain["models"][0]["features"] = ["magpie"]
    with pytest.raises(SpecError, match="a model names the features 'magpie', expected one of ionic_chemistry"):
        type(recipe).parse(plain, "recipe")
