"""The page of a property model: what it learnt from, how good it is on unseen materials, and where not to trust it.

Whole in itself, without a script: pictures are data, and the policy in its head forbids everything else.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mlip_sse.provenance import package_version
from mlip_sse.report.markup import Markup, badge, bullets, table, tag
from mlip_sse.report.model_figures import curve_figure, drive_figure, parity_figure, reliability_figure
from mlip_sse.report.untrusted import items, mapping, number, text

if TYPE_CHECKING:
    from mlip_sse.properties.evaluation import Sample
    from mlip_sse.properties.fit_report import FitReport
    from mlip_sse.properties.fitting import TrainedModel

__all__ = ["model_page_html", "write_model_page"]

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_MOST_FAMILIES, _MOST_FEATURES, _MOST_ASKED = 15, 15, 200
_EXPLANATION = "explanation.json"


def write_model_page(folder: str | Path, trained: "TrainedModel", report: "FitReport") -> Path:
    """Write ``report.html`` of a fit into the model's folder; an explanation that lies there enters it."""
    from mlip_sse.dataset.whole_files import written_whole

    path = Path(folder) / "report.html"
    explanation: Mapping[str, Any] = {}
    if (path.parent / _EXPLANATION).is_file():
        try:
            explanation = mapping(json.loads((path.parent / _EXPLANATION).read_text(encoding="utf-8")))
        except (ValueError, RecursionError):
            explanation = {}
    with written_whole(path) as stream:
        stream.write(model_page_html(trained, report, explanation))
    return path


def model_page_html(trained: "TrainedModel", report: "FitReport", explanation: Mapping[str, Any] | None = None) -> str:
    """Return the page; `explanation` is what ``properties explain`` wrote."""
    recipe, sample = trained.recipe, report.sample
    learnt = sample if report.given is None else report.given.learnt
    title = f"{recipe.target.column}: property model"
    sections = [
        _data(trained, report, learnt),
        _quality(trained, report),
        _pictures(trained, report, sample),
        _drives(trained, learnt, explanation or {}),
        _trust(trained, report, sample),
        tag(
            "section",
            tag("h2", "Recipe"),
            tag("pre", json.dumps(recipe.model_dump(mode="json"), indent=1, ensure_ascii=False)),
        ),
    ]
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("style", Markup((files("mlip_sse.report") / "page.css").read_text(encoding="utf-8"))),
    )
    body = tag(
        "body",
        tag("header", tag("h1", title), tag("p", recipe.description)),
        tag("main", *sections),
        tag("footer", f"mlip-sse {package_version()}, page written {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _data(trained: "TrainedModel", report: "FitReport", sample: "Sample") -> Markup:
    target = trained.recipe.target
    of_both = "" if report.given is None else " of both tables"
    learnt = f"log₁₀ of {target.column}" if target.transform == "log10" else target.column
    if target.threshold is not None:
        learnt = f"whether {target.column} ≥ {target.threshold:g} {target.unit}"
    lines = [
        f"{learnt}, in {target.unit or 'no unit'}",
        f"{report.n_rows} rows of {report.n_materials} materials, {report.n_limits} of them limits; "
        f"{report.left_out} rows{of_both} left out: without a target, or with a limit that does not tell the class",
        f"{sample.features.shape[1]} features" + (f"; of no use here: {report.useless}" if report.useless else ""),
    ]
    provenance = mapping(trained.about.get("provenance"))
    lines += [f"from {each}" for each in _inputs(provenance)]
    families = None
    if sample.families is not None:
        names, counts = np.unique([name or "(none)" for name in sample.families], return_counts=True)
        order = np.argsort(-counts)[:_MOST_FAMILIES]
        rows = [(text(names[at]), str(counts[at])) for at in order]
        families = table(("family", "rows"), rows, f"The largest of {len(names)} families.")
    return tag("section", tag("h2", "Data"), bullets(lines), families)


def _inputs(provenance: Any) -> list[str]:
    inputs = [mapping(each) for each in items(mapping(provenance).get("inputs"))]
    return [f"{text(each.get('path'))}, sha256 {text(each.get('sha256'), 16)}" for each in inputs]


def _asked_of(trained: "TrainedModel", report: "FitReport") -> list[str]:
    """Return on what the numbers were found, in words."""
    recipe, given, split = trained.recipe, report.given, trained.recipe.split
    if given is None:
        return [
            f"split by {split.by}: {split.n_folds} folds (below 60 rows each material alone), "
            f"repeats: {split.n_repeats}, seed {split.seed}; choice, limits and calibration inside each fold, "
            f"on {recipe.inner_folds} inner folds"
        ]
    return [
        f"evaluated on a given table, not on the recipe's split: {len(report.sample.y)} rows of "
        f"{len(set(report.sample.groups))} materials, {given.n_shared} more left out as the training table holds "
        f"their material",
        f"fitted to the training table alone, choice, limits and calibration on {recipe.inner_folds} inner folds of it",
        *(f"asked: {each}" for each in _inputs(given.provenance)),
    ]


def _quality(trained: "TrainedModel", report: "FitReport") -> Markup:
    recipe, found = trained.recipe, report.evaluation
    lines = [
        *_asked_of(trained, report),
        "models: " + ", ".join(each.name for each in recipe.models) + (f" ({recipe.combine})" if found.chosen else ""),
    ]
    if found.chosen:
        lines.append("best candidate: " + ", ".join(f"{name} in {count} folds" for name, count in found.chosen.items()))
    rows = [
        (
            name,
            f"{each.value:.3g}",
            each.interval(),
            _shown(each.repeat_sd),
            _shown(each.null),
            _shown(each.null_best),
            _shown(each.p_value),
            _shown(found.baseline.get(name)),
        )
        for name, each in found.metrics.items()
    ]
    head = ("metric", "value", "95 % interval", "sd of repeats", "null", "best null", "p", "baseline")
    said = "Baseline: always the training median, or the base rate. "
    if recipe.n_nulls:
        said += (
            f"Null: {recipe.models[0].name}, without calibration, on targets dealt to other materials; with "
            f"{recipe.n_nulls} p is {_floor(recipe.n_nulls)}. "
        )
    said += _meaning(trained, classifies=report.sample.classifies)
    noise = None
    if report.noise:
        noise = (
            f"Repeated measurements of {report.noise['n_materials']:.0f} materials differ so much that no model can be "
            f"better than about MAE {report.noise['best_mae']:.2g} (95 % interval "
            f"{report.noise['best_mae_low']:.2g} to {report.noise['best_mae_high']:.2g}), "
            f"R² {report.noise['best_r2']:.2g}."
        )
    return tag(
        "section",
        tag("h2", "How good it is on materials it has not seen"),
        bullets(lines),
        table(head, rows, said),
        *([] if report.known is None else [tag("p", f"{report.known}.")]),
        tag("p", noise or "Noise ceiling: not known, as no material was measured twice, or classes are learnt."),
    )


def _meaning(trained: "TrainedModel", classifies: bool) -> str:
    """Return what the names in the table of metrics mean, in a sentence or two."""
    if classifies:
        return "Precision, recall and accuracy are at a probability of one half; brier is the mean squared error of it."
    target = trained.recipe.target
    unit = "decades" if target.transform == "log10" else target.unit or "the unit of the target"
    return (
        f"mae, rmse, limit_violation and width are in {unit}. limit_violation: by how much limits are contradicted; "
        f"coverage: share of rows in their {trained.recipe.confidence:.0%} interval, by group the mean over what is "
        f"left out together; width: from end to end."
    )


def _pictures(trained: "TrainedModel", report: "FitReport", sample: "Sample") -> Markup:
    found = report.evaluation
    drawn: list[Markup] = []
    if sample.classifies:
        drawn.append(reliability_figure(sample.y, found.value[0]))
        if found.confusion is not None:
            (tn, fp), (fn, tp) = found.confusion.tolist()
            rows = [("below in truth", str(tn), str(fp)), ("reaches it in truth", str(fn), str(tp))]
            head = ("", "said: below", "said: reaches it")
            drawn.append(table(head, rows, "Confusion matrix at a probability of one half, first repeat."))
    elif found.low is not None and found.high is not None:
        unit = trained.recipe.target.unit
        shown = f" log₁₀ ({unit})" if trained.recipe.target.transform == "log10" else f" ({unit})" if unit else ""
        signs = np.zeros(len(sample.y)) if sample.signs is None else sample.signs
        drawn.append(parity_figure(sample.y, found.value[0], found.low[0], found.high[0], signs, shown))
    if report.curve is not None:
        drawn.append(curve_figure(report.curve))
    return tag("section", tag("h2", "Said and measured"), tag("div", *drawn, class_="grid"))


def _drives(trained: "TrainedModel", sample: "Sample", explanation: Mapping[str, Any]) -> Markup:
    names = [text(name) for name in items(trained.about.get("feature_names"))]
    drawn = []
    said = {"permutation": "growth of the error, permuted", "shap": "mean |Shapley value|", "vip": "VIP"}
    for method, words in said.items():
        scores = [mapping(each) for each in items(explanation.get(method))][:_MOST_FEATURES]
        known = [(text(each.get("name")), number(each.get("value")), number(each.get("null_high"))) for each in scores]
        shown = [(name, value, null) for name, value, null in known if value is not None]
        if shown:
            columns = list(zip(*shown, strict=True))
            drawn.append(drive_figure(columns[0], columns[1], columns[2], words))
    note = "From 'properties explain': unseen materials; grey marks are what dealt targets give."
    if not drawn:
        moves = _moves(trained, sample)
        order = [int(at) for at in np.argsort(-moves)[:_MOST_FEATURES] if moves[at] > 0]
        if order:
            words = "mean change of the prediction when a feature is dealt to other rows"
            drawn.append(drive_figure([names[at] for at in order], moves[order].tolist(), [None] * len(order), words))
        note = (
            "What moves the final model on rows that it has seen: not what is true of materials. 'mlip-sse properties "
            "explain --out' this folder, and another fit, put importances with intervals and nulls here."
        )
    return tag("section", tag("h2", "What drives it"), tag("p", note), tag("div", *drawn, class_="grid"))


def _moves(trained: "TrainedModel", sample: "Sample") -> npt.NDArray[np.float64]:
    """Return by how much the prediction moves when each feature is dealt to other rows, (n_features,)."""
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(sample.y))[:_MOST_ASKED]
    features, dealt = sample.features[rows], rng.permutation(len(rows))
    kelvin = None if sample.temperature_k is None else sample.temperature_k[rows]

    def ask(given: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        answer = trained.fitted.predict(given, temperature_k=kelvin)
        return np.asarray(answer.probability if sample.classifies else answer.value, dtype=np.float64)

    before, moves = ask(features), np.zeros(features.shape[1])
    for column in range(features.shape[1]):
        if np.ptp(np.nan_to_num(features[:, column])) == 0:
            continue
        changed = features.copy()
        changed[:, column] = changed[dealt, column]
        moves[column] = float(np.abs(ask(changed) - before).mean())
    return moves


def _trust(trained: "TrainedModel", report: "FitReport", sample: "Sample") -> Markup:
    """Return where errors are large and intervals fail: by distance to what was learnt from, and by family."""
    found = report.evaluation
    distance = found.distance[0]
    edges = [0.0, 0.5, 1.0, 2.0, 4.0, np.inf]
    groups = [
        (f"{low:g} to {high:g}" if np.isfinite(high) else f"beyond {low:g}", (distance >= low) & (distance < high))
        for low, high in pairwise(edges)
    ]
    head = ("", "rows", "mean error", "intervals hold")
    if sample.classifies:
        head = ("", "rows", "Brier score", "right at one half")
    parts = [
        table(
            ("distance", *head[1:]),
            _rows(report, sample, groups),
            "Distance to the nearest training material; 1 is usual.",
        )
    ]
    if sample.families is not None:
        names = np.array([name or "(none)" for name in sample.families], dtype=object)
        known, counts = np.unique(names.astype(str), return_counts=True)
        families = [(text(known[at]), names == known[at]) for at in np.argsort(-counts)[:_MOST_FAMILIES]]
        parts.append(table(("family", *head[1:]), _rows(report, sample, families), "By family, first repeat."))
    lines = [
        "Far from the materials of the table intervals are widened by the distance, and may still be too short.",
        "Intervals hold for materials like those of the table, which are those that somebody chose to measure.",
        *(
            f"Without {text(each.get('name'))} intervals are {number(each.get('factor')) or 1.0:.2f} times as wide."
            for each in map(mapping, items(trained.about.get("gaps")))
        ),
    ]
    return tag("section", tag("h2", "Where not to trust it ", badge("read this", "weak")), bullets(lines), *parts)


def _rows(
    report: "FitReport", sample: "Sample", groups: Sequence[tuple[str, npt.NDArray[np.bool_]]]
) -> list[tuple[str, str, str, str]]:
    found, value = report.evaluation, report.evaluation.value[0]
    exact = np.isfinite(value) & (True if sample.signs is None else sample.signs == 0)
    error = (value - sample.y) ** 2 if sample.classifies else np.abs(value - sample.y)
    held = (value >= 0.5) == (sample.y > 0.5)
    if found.low is not None and found.high is not None:
        held = (found.low[0] <= sample.y) & (sample.y <= found.high[0])
    rows = []
    for name, mask in groups:
        chosen = mask & exact
        if chosen.any():
            rows.append((name, str(int(chosen.sum())), f"{error[chosen].mean():.3g}", f"{held[chosen].mean():.0%}"))
    return rows


def _shown(value: float | None) -> str:
    return "–" if value is None or not np.isfinite(value) else f"{value:.3g}"


def _floor(n_nulls: int) -> str:
    return f"at least {1 / (1 + n_nulls):.2g}"
