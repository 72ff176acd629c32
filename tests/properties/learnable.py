"""A small table that every model can learn: a smooth function of two of five features, measured twice, with limits."""

import numpy as np

from mlip_sse.properties.composition import element_fractions

SMALL = {
    "linear": {},
    "pls": {"n_components": 2},
    "gaussian_process": {"n_steps": 6},
    "svm": {},
    "random_forest": {"n_trees": 30},
    "extra_trees": {"n_trees": 30},
    "gradient_boosting": {"n_trees": 60, "learning_rate": 0.1},
    "xgboost": {"n_trees": 60, "learning_rate": 0.1},
    "lightgbm": {"n_trees": 60, "learning_rate": 0.1},
    "adaboost": {"n_forests": 6, "n_trees": 6},
    "anchored": {},
    "arrhenius_trees": {"n_trees": 30},
    "network": {"n_epochs": 25, "n_members": 2, "n_hidden": 16, "learning_rate": 1e-2},
    "arrhenius_network": {"n_epochs": 25, "n_members": 2, "n_hidden": 16, "learning_rate": 1e-2},
    "composition_network": {"n_epochs": 30, "n_members": 2, "n_hidden": 16, "learning_rate": 1e-2},
    "arrhenius_composition": {"n_epochs": 30, "n_members": 2, "n_hidden": 16, "learning_rate": 1e-2},
    "set_network": {"n_epochs": 30, "n_members": 2, "n_hidden": 16, "learning_rate": 1e-2},
    "pair_network": {"n_epochs": 30, "n_members": 2, "n_hidden": 16, "learning_rate": 1e-2},
    "arrhenius_set": {"n_epochs": 30, "n_members": 2, "n_hidden": 16, "learning_rate": 1e-2},
    "logistic": {},
}
"""Settings with which each model is quick."""

OPTIONAL = {"xgboost": "xgboost", "lightgbm": "lightgbm"}
"""The library that a model needs beside the core ones; the networks need torch."""


def library_of(name):
    """Return the optional library of a model, or None."""
    return OPTIONAL.get(name, "torch" if name.endswith(("network", "composition", "set")) else None)


def learnable_table(n_materials=45, seed=2):
    """Return features (n, 5), target (n,), groups (n,) and the element fractions (n, 103) of two rows a material."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_materials, 5))
    shares = np.column_stack([np.exp(0.5 * x[:, :2]), np.ones(n_materials)])
    formulas = [f"Li{a:.5f}Cl{b:.5f}O{c:.5f}" for a, b, c in shares]
    y = 2.0 * x[:, 0] - 1.0 * x[:, 1] + 0.2 * x[:, 0] ** 2
    twice = np.repeat(np.arange(n_materials), 2)
    return x[twice], y[twice] + 0.1 * rng.normal(size=2 * n_materials), twice, element_fractions(formulas)[twice]
