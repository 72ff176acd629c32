"""Ask and tell, the processes behind them, transfer, and the program."""

import json

import numpy as np
import pytest

from mlip_sse.cli.main import main
from mlip_sse.errors import FormatError, InputError
from mlip_sse.properties.optimize.acquisition import Known, Pool, fit_surrogates, improvements, select_points
from mlip_sse.properties.optimize.front import Objective, hypervolume
from mlip_sse.properties.optimize.grid import CompositionGrid
from mlip_sse.properties.optimize.study import Measured, Study, read_study, write_study
from mlip_sse.properties.optimize.surrogates import Source, fit_surrogate, leave_one_out_log_density

pytest.importorskip("botorch")


def hill(points, centre=(0.6, 0.3, 0.1), width=0.2):
    return np.exp(-((np.asarray(points) - np.array(centre)) ** 2).sum(axis=-1) / (2 * width**2))


@pytest.fixture(scope="module")
def grid():
    return CompositionGrid(("A", "B", "C"), 10)


@pytest.fixture(scope="module")
def known(grid):
    rows = np.random.default_rng(3).choice(len(grid), 9, replace=False)
    values = np.column_stack([hill(grid.points[rows]), -grid.points[rows][:, 0]])
    return Known(grid.points[rows], values)


def test_process_interpolates_and_is_unsure_elsewhere(known):
    process = fit_surrogate(known.features, known.values[:, 1])
    mean, spread = process.predict(known.features)
    np.testing.assert_allclose(mean, known.values[:, 1], atol=0.05)
    assert process.predict([[0.0, 0.0, 1.0]])[1][0] > spread.mean()


def test_leave_one_out_density_is_that_of_leaving_each_out(known):
    model = fit_surrogate(known.features, known.values[:, 0]).model
    found = leave_one_out_log_density(model)
    import torch

    with torch.no_grad():
        model.train()
        prior = model.likelihood(model(*model.train_inputs), *model.train_inputs)
        covariance, mean, y = prior.covariance_matrix.numpy(), prior.mean.numpy(), model.train_targets.numpy()
        model.eval()
    for row in range(len(y)):
        rest = np.arange(len(y)) != row
        weights = np.linalg.solve(covariance[np.ix_(rest, rest)], covariance[rest, row])
        guess = mean[row] + weights @ (y - mean)[rest]
        variance = covariance[row, row] - weights @ covariance[rest, row]
        by_hand = -0.5 * np.log(2 * np.pi * variance) - 0.5 * (y[row] - guess) ** 2 / variance
        assert found[row] == pytest.approx(by_hand, rel=1e-6, abs=1e-8)


def test_expected_improvement_of_one_objective_is_the_closed_form(known, grid):
    from scipy.stats import norm

    one = Known(known.features, known.values[:, :1])
    (process,) = fit_surrogates(one)
    found = improvements((process,), grid.points, one)
    best = process.predict(one.features)[0].max()
    mean, spread = process.predict(grid.points)
    z = (mean - best) / spread
    closed = spread * (norm.pdf(z) + z * norm.cdf(z)) / process.unit
    likely = closed > 1e-8
    np.testing.assert_allclose(np.exp(found[likely]), closed[likely], rtol=1e-4)


def test_expected_hypervolume_improvement_is_that_of_drawn_values(known):
    processes = fit_surrogates(known)
    asked = np.array([[0.6, 0.2, 0.2], [0.5, 0.4, 0.1]])
    found = np.exp(improvements(processes, asked, known))
    rng = np.random.default_rng(0)
    units = np.array([each.unit for each in processes])
    floor = known.values.min(axis=0)
    front = np.column_stack([each.predict(known.features)[0] for each in processes])
    before = hypervolume(front / units, floor / units)
    for row, point in enumerate(asked):
        moments = [each.predict(point[None]) for each in processes]
        drawn = np.column_stack([rng.normal(mean[0], spread[0], 400) for mean, spread in moments])
        gains = [hypervolume(np.vstack([front, value]) / units, floor / units) - before for value in drawn]
        # Five standard errors of 400 draws, and the smoothing of BoTorch's logarithm.
        assert found[row] == pytest.approx(np.mean(gains), abs=5 * np.std(gains) / 20 + 0.02 * np.mean(gains) + 1e-4)


def test_selection_speaks_as_that_of_the_campaign(grid, known):
    pool = Pool(grid.points, np.arange(len(grid)) % 5)
    one = Known(known.features, known.values[:, :1])
    for strategy in ("improvement", "uncertainty", "random"):
        chosen = select_points(pool, 4, strategy=strategy, known=one, first=[7], seed=1)
        assert chosen.dtype == np.intp
        assert chosen[0] == 7
        assert len(set(pool.groups[chosen])) == 4  # one of each group
    again = select_points(pool, 4, strategy="random", known=one, first=[7], seed=1)
    np.testing.assert_array_equal(chosen, again)
    assert len(select_points(pool, 50, strategy="random", known=one, seed=1)) == 5


@pytest.mark.parametrize("one_by_one", [False, True])
def test_first_points_part_the_pool_without_a_source(grid, one_by_one):
    chosen = []
    for n in (1, 1, 1) if one_by_one else (3,):
        known = Known(grid.points[chosen], np.zeros((len(chosen), 1)))
        chosen += select_points(Pool.of(grid.points), n, known=known, seed=3 + len(chosen)).tolist()
    points = grid.points[chosen]
    nearest = np.linalg.norm(grid.points[:, None] - points, axis=-1).min(axis=1)
    corners = np.linalg.norm(grid.points[:, None] - np.eye(3), axis=-1).min(axis=1)
    assert np.linalg.norm(points[:, None] - points, axis=-1)[~np.eye(3, dtype=bool)].min() > 0.3
    assert nearest.mean() < 0.75 * corners.mean()  # the three corners are the points farthest from each other


def test_a_related_source_is_used_and_an_unrelated_one_is_not(grid):
    rng = np.random.default_rng(4)
    rows, seen = rng.choice(len(grid), 25, replace=False), rng.choice(len(grid), 6, replace=False)
    target = hill(grid.points[seen])
    related = 3.0 * hill(grid.points[rows], (0.57, 0.32, 0.11)) - 2.0
    helped = fit_surrogate(grid.points[seen], target, grid.points[rows], related)
    assert helped.uses_source
    assert helped.correlation > 0.5
    mean, _ = helped.predict(grid.points)
    alone, _ = fit_surrogate(grid.points[seen], target).predict(grid.points)
    truth = hill(grid.points)
    assert np.abs(mean - truth).mean() < 0.7 * np.abs(alone - truth).mean()
    misled = fit_surrogate(grid.points[seen], target, grid.points[rows], rng.normal(size=25))
    # Noise tells nothing: either it is left out, or what it adds is nothing.
    assert np.abs(misled.predict(grid.points)[0] - truth).mean() < 1.5 * np.abs(alone - truth).mean()


def test_the_first_point_with_a_source_is_where_the_source_is_best(grid):
    study = Study(grid, (Objective("y"),))
    source = [Measured(tuple(point), (float(hill(point)),)) for point in grid.points[::2]]
    _, points = study.with_source(("A", "B", "C"), source).ask()
    assert hill(points[0]) > 0.9


def test_ask_and_tell_find_the_top_and_survive_the_disk(grid, tmp_path):
    study = Study(grid, (Objective("y"),), seed=2)
    values = []
    for n in (3, 3, 1, 1, 1, 1):
        study, points = study.ask(n)
        assert len(points) == n
        assert not set(points) & {each.fractions for each in study.told}
        for point in points:
            study, remark = study.tell(point, {"y": float(hill(point))})
            assert remark is None
            values.append(hill(point))
        write_study(study, tmp_path / "study.json")
        assert read_study(tmp_path / "study.json") == study
    assert not study.asked
    assert max(values) > 0.75  # the top, or one step beside it
    assert study.front().rows.tolist() == [int(np.argmax(values))]


def test_a_point_that_was_not_asked_for_is_taken_and_noted(grid):
    study, _ = Study(grid, (Objective("y"),)).tell([0.25, 0.25, 0.5], {"y": 1.0})
    told, remark = study.tell([0.2, 0.2, 0.6], {"y": 2.0})
    assert "was not asked for" in remark
    assert "on the grid" in remark
    assert not told.told[1].was_asked
    _, remark = study.tell([0.26, 0.24, 0.5], {"y": 1.0})
    assert "between the points of the grid" in remark


def test_what_is_asked_for_is_not_asked_for_again():
    study = Study(CompositionGrid(("A", "B"), 3), (Objective("y"),))
    study, points = study.ask(3)
    study, last = study.ask(3)
    assert len({*points, *last}) == 4
    with pytest.raises(InputError, match="all 4 mixtures were measured or asked for"):
        study.ask()


@pytest.mark.parametrize(
    ("do", "says"),
    [
        (lambda s: s.ask(0), "expected at least 1"),
        (lambda s: s.tell([0.5, 0.5, 0.0], {"x": 1.0}), "found no value of y"),
        (lambda s: s.tell([0.5, 0.5, 0.0], {"y": float("nan")}), "expected a finite number"),
        (lambda s: s.front(), "found no measurement"),
        (lambda s: s.with_source(("A", "B", "D"), []), "found a source over A, B, D, expected the components"),
        (lambda s: s.with_source(("A", "B", "C"), [Measured((1.0, 0.0, 0.0), (1.0,))] * 2), "expected at least 3"),
        (lambda s: s.with_source(("A", "B", "C"), [Measured((1.0, 0.0, 0.0), (1.0, 2.0))]), "found 2 values"),
        (lambda s: Study(s.grid, (Objective("y"), Objective("y"))), "each once"),
    ],
)
def test_bad_input_of_a_study_is_one_line(grid, do, says):
    with pytest.raises(InputError, match=says) as found:
        do(Study(grid, (Objective("y"),)))
    assert "\n" not in str(found.value)


def test_bad_input_of_a_selection_is_one_line(grid, known):
    pool = Pool.of(grid.points)
    with pytest.raises(InputError, match="did you mean 'improvement'"):
        select_points(pool, 1, strategy="improvment", known=known, seed=0)
    with pytest.raises(InputError, match=r"expected \(n, 3\) as the pool's"):
        select_points(pool, 1, known=known, source=Source(np.eye(4), np.ones((4, 2))), seed=0)
    with pytest.raises(InputError, match="no feature varies over the 4 points"):
        Pool.of(np.ones((4, 2)))
    with pytest.raises(InputError, match="no feature varies over 3 points"):
        fit_surrogate(np.ones((3, 2)), np.arange(3.0))


def test_a_file_that_is_no_study(tmp_path):
    for text in ("pickle", "[1]", '{"format": "mlip-sse optimisation", "format_version": 9}'):
        (tmp_path / "study.json").write_text(text)
        with pytest.raises(FormatError):
            read_study(tmp_path / "study.json")


SPEC = """
components: [Li2S, P2S5, LiCl]
steps: 8
bounds: {P2S5: [0.1, 0.5]}
objectives:
  - {name: conductivity_s_cm, unit: S/cm, is_log: true, reference: 1.0e-8}
  - {name: cost, direction: minimize}
"""


def test_program_asks_is_told_and_goes_on(tmp_path, capsys):
    (tmp_path / "spec.yaml").write_text(SPEC)
    state = str(tmp_path / "study.json")
    assert main(["properties", "optimize", state, "--spec", str(tmp_path / "spec.yaml"), "--ask", "3", "--json"]) == 0
    asked = json.loads(capsys.readouterr().out)
    assert len(asked["asked"]) == 3
    rows = [*asked["asked"], [0.7, 0.2, 0.1]]
    lines = [",".join(map(str, [*row, 10 ** (-6 + 3 * row[0]), 1 + row[1]])) for row in rows]
    (tmp_path / "told.csv").write_text("Li2S,P2S5,LiCl,conductivity_s_cm,cost\n" + "\n".join(lines) + "\n")
    assert main(["properties", "optimize", state, "--tell", str(tmp_path / "told.csv"), "--ask", "1"]) == 0
    captured = capsys.readouterr()
    assert "4 measured, 1 asked for" in captured.out
    assert "hypervolume" in captured.out
    assert captured.err.count("was not asked for") == 1


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (SPEC.replace("minimize", "minimise"), "expected maximize or minimize"),
        (SPEC.replace("[0.1, 0.5]", "[0.3, 0.35]").replace("steps: 8", "steps: 2"), "is within the bounds"),
        (SPEC + "source: other.csv\n", "a source of another grid: found no column LiCl"),
        (SPEC.replace("steps", "step"), "did you mean"),
    ],
)
def test_bad_spec_is_one_line(tmp_path, capsys, spec, says):
    (tmp_path / "spec.yaml").write_text(spec)
    (tmp_path / "other.csv").write_text("Li2S,P2S5,LiBr,conductivity_s_cm,cost\n0.5,0.25,0.25,1e-4,1\n")
    assert main(["properties", "optimize", str(tmp_path / "s.json"), "--spec", str(tmp_path / "spec.yaml")]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
