"""Shapley values: what each feature adds to a prediction, from the mean prediction over a background to this one.

    f(x) = φ₀ + Σ_j φ_j(x),   φ₀ = ⟨f⟩ over the background

Trees (forests, boosters) and linear models are exact, by the shap package; the features are independent of each other
in the background ("interventional"). Others are sampled by permutations, and say so.

References
----------
Lundberg et al., Nat. Mach. Intell. 2, 56 (2020), 10.1038/s42256-019-0138-9; Lundberg and Lee, NeurIPS 30 (2017).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mlip_sse.errors import InputError, MissingExtraError
from mlip_sse.properties.evaluation import Sample
from mlip_sse.properties.explain.importance import fit_on
from mlip_sse.properties.explain.resampling import Score, dealt_sample, scores_of
from mlip_sse.properties.splits import Split, SplitPlan

__all__ = ["Attribution", "attribute", "shapley_scores"]

Floats = npt.NDArray[np.float64]
Make = Callable[[int], Any]

_N_BACKGROUND = 100


@dataclass(frozen=True, eq=False)
class Attribution:
    """What the features add to the learner's value (log-odds or share for classifiers).

    Parameters
    ----------
    values
        (n_rows, n_features) φ; zero for features that the model does not use. What a gap in a feature adds counts as
        the feature's own.
    base
        φ₀.
    temperature
        (n_rows,) what the temperature adds, zero without one.
    is_exact
        False where it was sampled.
    """

    values: Floats
    base: float
    temperature: Floats
    is_exact: bool


def attribute(
    fitted: Any,
    features: Floats,
    background: Floats,
    temperature_k: Floats | None = None,
    background_k: Floats | None = None,
    seed: int = 0,
) -> Attribution:
    """Return what each feature adds to the predictions of a fitted model.

    Parameters
    ----------
    fitted
        A regressor or classifier of this package, or a selection of regressors.
    features, background
        (n_rows, n_features) and (n_background, n_features); at most 100 rows of the latter are used, drawn by seed.
    temperature_k, background_k
        Temperatures of both, where the model has them.
    seed
        Of the draw, and of sampled values.
    """
    if hasattr(fitted, "parts"):
        parts = [attribute(part, features, background, temperature_k, background_k, seed) for part in fitted.parts]
        weights = fitted.weights
        return Attribution(
            values=np.asarray(sum(w * part.values for w, part in zip(weights, parts, strict=True))),
            base=float(sum(w * part.base for w, part in zip(weights, parts, strict=True))),
            temperature=np.asarray(sum(w * part.temperature for w, part in zip(weights, parts, strict=True))),
            is_exact=all(part.is_exact for part in parts),
        )
    if not hasattr(fitted, "learner"):
        raise InputError(f"found a {type(fitted).__name__}, expected a fitted regressor or classifier of this package")
    rows = np.random.default_rng(seed).permutation(len(background))[:_N_BACKGROUND]
    kelvin = None if background_k is None else background_k[rows]
    seen, asked = _seen(fitted, background[rows], kelvin), _seen(fitted, features, temperature_k)
    values, base, is_exact = _shapley(fitted.learner, asked, seen, seed)
    found = np.zeros((len(features), fitted.n_features))
    for at, column in enumerate(_origins(fitted)):
        found[:, column] += values[:, at]
    n_own = len(_origins(fitted))
    return Attribution(found, base, values[:, n_own:].sum(axis=1), is_exact)


def shapley_scores(
    model: Make,
    sample: Sample,
    plan: SplitPlan,
    names: Sequence[str],
    *,
    n_nulls: int = 0,
    null_model: Make | None = None,
) -> tuple[tuple[Score, ...], Floats]:
    """Return ⟨|φ|⟩ of each feature on rows that the model did not see, largest first, and φ of the first repeat.

    Parameters as of `permutation_importance`; φ is (n_rows, n_features) in the order of ``names``, nan where not asked.
    """
    repeats = plan.splits(sample.groups, sample.y, sample.families)
    rows = [_rows(model(at), sample, splits, plan.seed) for at, splits in enumerate(repeats)]
    nulls = [
        np.nanmean(
            np.abs(_rows((null_model or model)(0), dealt_sample(sample, [plan.seed, 4, at]), repeats[0], plan.seed)),
            axis=0,
        )
        for at in range(n_nulls)
    ]
    scores = scores_of(names, np.abs(np.array(rows)), sample.groups, np.array(nulls) if nulls else None, plan.seed)
    return tuple(sorted(scores, key=lambda each: -each.value)), rows[0]


def _rows(model: Any, sample: Sample, splits: Sequence[Split], seed: int) -> Floats:
    found = np.full(sample.features.shape, np.nan)
    kelvin = sample.temperature_k
    for split in splits:
        fitted = fit_on(model, sample, split.train)
        both = [None if kelvin is None else kelvin[rows] for rows in (split.test, split.train)]
        found[split.test] = attribute(
            fitted, sample.features[split.test], sample.features[split.train], both[0], both[1], seed
        ).values
    return found


def _seen(fitted: Any, features: Floats, kelvin: Floats | None) -> Floats:
    """Return what the learner sees; its own dependence on temperature is not taken apart."""
    from mlip_sse.properties.contract import CLASSIFIERS, MODELS
    from mlip_sse.properties.regression import seen_by

    known = CLASSIFIERS if hasattr(fitted, "calibration") else MODELS
    chosen = features[:, fitted.columns]
    seen, own = seen_by(known[fitted.model], chosen, fitted.preparation.apply(chosen), kelvin)
    if own is not None:
        raise InputError(
            f"found {fitted.model} with a temperature, expected a model that takes it as a feature (trees, linear, "
            f"pls, gaussian_process, svm): use permutation importance"
        )
    return seen


def _origins(fitted: Any) -> list[int]:
    """Return the column of the features that each column of the learner stands for."""
    from mlip_sse.properties.contract import CLASSIFIERS, MODELS

    known = CLASSIFIERS if hasattr(fitted, "calibration") else MODELS
    if known[fitted.model].eats != "features":
        return [int(column) for column in fitted.columns]
    preparation = fitted.preparation
    return [int(fitted.columns[at]) for at in (*preparation.kept, *preparation.marked)]


def _shapley(learner: Any, asked: Floats, background: Floats, seed: int) -> tuple[Floats, float, bool]:
    shap = _shap()
    if hasattr(learner, "coefficients"):
        centre = background.mean(axis=0)
        base = float(learner.predict(background, None)[0].mean())
        return learner.coefficients * (asked - centre), base, True
    if hasattr(learner, "trees"):
        scale = 1.0 if hasattr(learner, "offset") else 1.0 / len(learner.trees.roots)  # a sum, or a mean
        # Trees compare 32-bit floats; their values in 64 bits compare the same.
        narrow = [array.astype(np.float32).astype(np.float64) for array in (asked, background)]
        explainer = shap.TreeExplainer({"trees": _shap_trees(learner.trees)}, data=narrow[1])
        values = np.asarray(explainer.shap_values(narrow[0], check_additivity=False), dtype=np.float64)
        base = float(learner.predict(background, None)[0].mean())
        return scale * values.reshape(asked.shape), base, True
    masker = shap.maskers.Independent(background, max_samples=len(background))
    explainer = shap.PermutationExplainer(lambda rows: learner.predict(rows, None)[0], masker, seed=seed)
    found = explainer(asked, max_evals=2 * asked.shape[1] + 1, silent=True)
    return np.asarray(found.values, dtype=np.float64), float(np.mean(found.base_values)), False


def _shap_trees(trees: Any) -> list[dict[str, Any]]:
    """Return trees as shap reads them: indices that begin anew in each tree."""
    ends = [*trees.roots[1:].tolist(), len(trees.left)]
    made = []
    for start, end in zip(trees.roots.tolist(), ends, strict=True):
        leaf = trees.left[start:end] < 0
        left = np.where(leaf, -1, trees.left[start:end] - start).astype(np.int32)
        right = np.where(leaf, -1, trees.right[start:end] - start).astype(np.int32)
        made.append(
            {
                "children_left": left,
                "children_right": right,
                "children_default": right,
                "features": np.where(leaf, -2, trees.feature[start:end]).astype(np.int32),
                "thresholds": trees.threshold[start:end].astype(np.float64),
                "values": trees.value[start:end].astype(np.float64)[:, None],
                "node_sample_weight": np.ones(end - start),
            }
        )
    return made


def _shap() -> Any:
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import shap
    except ImportError as error:
        raise MissingExtraError("Shapley values", "properties") from error
    return shap
