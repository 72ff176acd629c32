"""Networks: the encoder of pairs against a slow twin, likelihoods against SciPy, what is stored and what is refused."""

import numpy as np
import pytest
from scipy import stats

from mlip_sse.errors import InputError
from mlip_sse.properties.composition import element_fractions
from mlip_sse.properties.contract import classifier, regressor
from mlip_sse.properties.features import featurizer
from mlip_sse.properties.storage import read_model, write_model

torch = pytest.importorskip("torch")
pytest.importorskip("matminer")

FORMULAS = ["Li6PS5Cl", "MgO", "Fe", "Al2MgO4", "Ca3N2"]


def small_weights(n_members=2, seed=0):
    from mlip_sse.properties.models.encoders import first_weights

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return first_weights("pairs", 103, 6, 2, n_members, 1, False)


def encoded(weights, rows):
    from mlip_sse.properties.models.encoders import encode

    return encode("pairs", weights, torch.as_tensor(rows, dtype=torch.float32), None, 0.0).numpy()


def silu(x):
    return x / (1.0 + np.exp(-x))


def standard(x):
    return (x - x.mean()) / np.sqrt(x.var() + 1e-5)  # torch's layer_norm has this 1e-5


def twin(weights, row, member):
    """Return the answer for one row of fractions by loops over elements and pairs."""

    def layer(name, x):
        return x @ weights[f"{name}.w"][member].numpy() + weights[f"{name}.b"][member, 0].numpy()

    shares = row[row > 0]
    vectors = []
    for number, share in zip(np.flatnonzero(row > 0), shares, strict=True):
        octave = np.log2(share)
        slow = octave * np.pi / 3 * np.array([0.5, 1.0, 2.0])
        shown = np.r_[share, octave / 3, np.cos(np.pi * share * np.arange(1, 9)), np.sin(slow), np.cos(slow)]
        vectors.append(layer("known_in", weights["known"][number].numpy()) + layer("fraction_in", shown))
    for turn in range(2):
        seen = [standard(vector) for vector in vectors]
        for at, vector in enumerate(vectors):
            pairs = (
                share * silu(layer(f"own{turn}", seen[at]) + layer(f"other{turn}", other))
                for share, other in zip(shares, seen, strict=True)
            )
            vectors[at] = vector + layer(f"message{turn}", sum(pairs))
        for at, vector in enumerate(vectors):
            vectors[at] = vector + layer(f"narrow{turn}", silu(layer(f"wide{turn}", standard(vector))))
    last = np.array([standard(vector) for vector in vectors])
    x = np.r_[shares @ last, last.max(axis=0)]
    for name in ("layer0", "layer1"):
        x = silu(layer(name, x))
    return layer("head", x)


def test_the_encoder_of_pairs_is_loops_over_elements_and_pairs():
    weights, rows = small_weights(), element_fractions(FORMULAS)
    found = encoded(weights, rows)
    expected = np.array([[twin(weights, row, member) for row in rows] for member in range(2)])
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)  # single precision


def test_a_row_is_the_same_alone_and_among_rows_of_more_elements():
    weights, rows = small_weights(), element_fractions(FORMULAS)
    alone = np.concatenate([encoded(weights, row[None]) for row in rows], axis=1)
    np.testing.assert_allclose(encoded(weights, rows), alone, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(element_fractions(["O4MgAl2"]), element_fractions(["MgAl2O4"]))


@pytest.mark.parametrize(("name", "law"), [("tobit", stats.norm), ("laplace", stats.laplace)])
def test_likelihoods_of_exact_rows_and_limits(name, law):
    from mlip_sse.properties.models.network import _LOSSES

    rng = np.random.default_rng(3)
    value, y, spread = 3 * rng.normal(size=(1, 30)), 3 * rng.normal(size=(1, 30)), 0.7
    signs = np.resize([-1.0, 0.0, 1.0], (1, 30))
    found = _LOSSES[name](*(torch.as_tensor(each) for each in (value, np.array([[spread]]), y, signs))).numpy()
    constant = {"tobit": 0.5 * np.log(2 * np.pi), "laplace": np.log(2.0)}[name]
    exact = -law.logpdf(y, value, spread) - constant
    upper, lower = -law.logcdf(y, value, spread), -law.logsf(y, value, spread)
    expected = np.where(signs == 0, exact, np.where(signs < 0, upper, lower))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_a_stored_network_of_pairs_needs_no_table_of_elements(tmp_path, monkeypatch):
    from mlip_sse.properties.features import knowledge

    rows = element_fractions(
        [f"{metal}{n}O{m}" for metal in ("Li", "Mg", "Al", "Ti") for n in (1, 3) for m in (1, 2, 4)]
    )
    y = rows[:, 7] ** 2 + rows[:, 2]
    settings = {"n_members": 1, "n_hidden": 16, "n_epochs": 60, "learning_rate": 1e-2, "dropout": 0.0}
    fitted = regressor("pair_network", n_folds=3, loss="laplace", **settings).fit(rows, y)
    value = fitted.predict(rows).value
    assert np.abs(value - y).mean() < 0.3 * np.abs(y - np.median(y)).mean()
    write_model(tmp_path, fitted, {})
    monkeypatch.setattr(knowledge, "element_knowledge", None)
    np.testing.assert_allclose(read_model(tmp_path)[0].predict(rows).value, value)


def test_what_makes_a_network_is_no_setting_and_classes_have_a_loss_of_their_own():
    rows, y = element_fractions(["LiF", "NaF", "KF", "LiCl", "NaCl", "KCl"]), np.arange(6.0)
    with pytest.raises(InputError, match="Network: no setting 'encoding', expected one of loss, n_members"):
        regressor("pair_network", encoding="mlp")
    with pytest.raises(InputError, match="no setting 'loss'"):
        classifier("pair_network", loss="tobit")
    for loss in ("entropy", "huber"):
        with pytest.raises(InputError, match=f"found the loss '{loss}', expected tobit or laplace"):
            regressor("pair_network", loss=loss).fit(rows, y)


def test_what_is_known_of_elements():
    from mlip_sse.properties.features.knowledge import element_knowledge

    known = element_knowledge()
    assert known.shape[0] == 103
    assert np.isfinite(known).all()
    assert np.abs(known[:, :-32]).max() <= 3.0
    assert known[:, -32:].std() == pytest.approx(1.0)
    words = known[:, -32:]
    apart = np.linalg.norm(words[:, None] - words[None], axis=2) + 1e3 * np.eye(103)
    assert apart[41 - 1].argmin() == 73 - 1  # niobium and tantalum
    assert apart[57 - 1].argmin() in range(58 - 1, 71)  # lanthanum and another rare earth


def test_ranked_elements_by_hand():
    block = featurizer("ranked_elements")
    found = dict(zip(block.names, block.featurize(["MgAl2O4", "O8Mg2Al4", "NaCl", "Fe"]).T, strict=True))
    assert found["ranked_1_fraction"] == pytest.approx([4 / 7, 4 / 7, 1 / 2, 1.0])
    assert found["ranked_3_fraction"] == pytest.approx([1 / 7, 1 / 7, 0.0, 0.0])
    assert found["ranked_1_electronegativity"] == pytest.approx([3.44, 3.44, 3.16, 1.83])  # chlorine before sodium
    assert found["ranked_3_electronegativity"] == pytest.approx([1.31, 1.31, 3.16, 1.83])
    assert found["fractions_norm_2"] == pytest.approx([np.sqrt(21) / 7, np.sqrt(21) / 7, np.sqrt(0.5), 1.0])
