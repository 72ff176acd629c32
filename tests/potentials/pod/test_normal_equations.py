"""The sums against rows stacked in full, their additivity, and what is refused."""

import numpy as np
import pytest

from mlip_sse.dataset import Fingerprint
from mlip_sse.errors import FormatError, InputError
from mlip_sse.potentials.pod.normal_equations import EquationSums, NormalEquations, bootstrap_weights
from mlip_sse.potentials.pod.ridge import choose_penalty, solve, squared_error

BASIS = {"cutoff": 5.0}
N_COLUMNS, N_MEMBERS = 6, 3


def frame(number, n_rows=9):
    draws = np.random.default_rng(number)
    return f"{number:064x}", (draws.normal(size=(n_rows, N_COLUMNS)), draws.normal(size=n_rows), float(n_rows))


def fingerprint(words):
    made = Fingerprint.declared(words)
    return {made.digest: made.model_dump(mode="json", exclude_none=True)}


def sums_of(numbers, mixed=(), words="PBE", start=None):
    sums = EquationSums(start or NormalEquations.empty(("Li", "S"), BASIS, N_COLUMNS, N_MEMBERS), mixed)
    for number in numbers:
        identity, rows = frame(number)
        sums.add(
            identity, rows, {"energy": 1, "force": 8}, fingerprint=fingerprint(words), closest={"Li-S": 2 + number}
        )
    return sums.equations()


def test_the_solution_is_that_of_all_rows_at_once():
    equations = sums_of(range(5))
    rows = np.vstack([frame(number)[1][0] for number in range(5)])
    labels = np.concatenate([frame(number)[1][1] for number in range(5)])
    penalty = 1e-3
    # The slow twin: ridge as least squares with one more row for each scaled column.
    squares = (rows**2).sum(axis=0)
    scale = np.sqrt(squares + np.median(squares))
    augmented = np.vstack([rows / scale, np.sqrt(penalty) * np.eye(N_COLUMNS)])
    expected = np.linalg.lstsq(augmented, np.concatenate([labels, np.zeros(N_COLUMNS)]), rcond=None)[0] / scale
    found = solve(equations.gram[0], equations.moment[0], penalty)
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    error = squared_error(equations.gram[0], equations.moment[0], equations.square[0], found)
    np.testing.assert_allclose(error, ((rows @ found - labels) ** 2).sum(), rtol=1e-10)
    assert equations.n_rows == {"energy": 5, "force": 40, "virial": 0, "pair": 0}
    assert equations.weight[0] == 45


def test_a_column_that_is_zero_gets_no_coefficient():
    gram, moment = np.diag([2.0, 0.0]), np.array([4.0, 0.0])
    np.testing.assert_allclose(solve(gram, moment, 1e-12), [2.0, 0.0], rtol=1e-11)


def test_members_weigh_each_frame_as_its_id_says():
    equations = sums_of(range(5))
    for member in range(N_MEMBERS):
        weights = [bootstrap_weights(frame(number)[0], N_MEMBERS)[member] for number in range(5)]
        expected = sum(
            weight * frame(number)[1][0].T @ frame(number)[1][0]
            for number, weight in zip(range(5), weights, strict=True)
        )
        np.testing.assert_allclose(equations.gram[1 + member], expected, atol=1e-12)


def test_bootstrap_weights_have_mean_and_variance_of_counts_and_never_change():
    weights = np.array([bootstrap_weights(f"{number:x}", 4) for number in range(5000)])
    # 20,000 draws: the standard errors are 0.007 of the mean and 0.02 of the variance; four of them.
    assert abs(weights.mean() - 1) < 0.03
    assert abs(weights.var() - 1) < 0.08
    assert abs(np.corrcoef(weights.T) - np.eye(4)).max() < 0.06
    assert weights.min() > 0
    np.testing.assert_allclose(bootstrap_weights("a" * 64, 4), PINNED, rtol=1e-12)


PINNED = [1.3262555163109828, 0.35197904437509936, 4.207890282082096, 3.3393952638670603]


def test_sums_add_in_every_order():
    together, apart = sums_of(range(6)), sums_of([4, 0, 5]).plus(sums_of([3, 1, 2]))
    for name in ("gram", "moment", "square", "weight"):
        np.testing.assert_allclose(getattr(apart, name), getattr(together, name), rtol=0, atol=1e-12)
    assert apart.frames == together.frames
    assert apart.n_rows == together.n_rows
    assert apart.closest == together.closest == {"Li-S": 2}
    grown = sums_of([3, 4, 5], start=sums_of([0, 1, 2]))
    np.testing.assert_allclose(grown.gram, together.gram, rtol=0, atol=1e-12)


def test_a_factor_counts_a_frame_so_often():
    sums = EquationSums(NormalEquations.empty(("Li",), BASIS, N_COLUMNS, 0))
    identity, rows = frame(1)
    sums.add(identity, rows, {"force": 9}, factor=3.0)
    np.testing.assert_allclose(sums.equations().gram[0], 3 * rows[0].T @ rows[0], rtol=1e-14)


def test_embedded_columns_keep_their_values():
    equations = sums_of(range(3))
    places = np.array([0, 2, 3, 5, 6, 8])
    wide = equations.embedded(("Li", "P", "S"), 9, places)
    np.testing.assert_array_equal(wide.gram[:, places][:, :, places], equations.gram)
    assert np.count_nonzero(wide.gram) == np.count_nonzero(equations.gram)
    np.testing.assert_allclose(
        solve(wide.gram[0], wide.moment[0], 1e-6)[places],
        solve(equations.gram[0], equations.moment[0], 1e-6),
        rtol=1e-9,
    )


def test_a_frame_counts_once():
    with pytest.raises(InputError, match="twice"):
        sums_of([1, 2, 1])
    with pytest.raises(InputError, match="found 1 frames in both"):
        sums_of([1, 2]).plus(sums_of([2, 3]))


def test_other_settings_are_refused():
    first, second = sums_of([1]), sums_of([2])
    with pytest.raises(InputError, match=r"cutoff 5.0 and 6.0"):
        first.plus(NormalEquations.empty(("Li", "S"), {"cutoff": 6.0}, N_COLUMNS, N_MEMBERS))
    with pytest.raises(InputError, match="expected the same"):
        second.plus(NormalEquations.empty(("Li", "P"), BASIS, N_COLUMNS, N_MEMBERS))


def test_labels_made_in_two_ways_mix_only_when_named():
    first, second = sums_of([1], words="PBE"), sums_of([2], words="SCAN")
    with pytest.raises(InputError, match="made in two ways"):
        first.plus(second)
    with pytest.raises(InputError, match="made in two ways"):
        first.plus(second, mixed=list(first.fingerprints))
    both = first.plus(second, mixed=[*first.fingerprints, *second.fingerprints])
    assert len(both.fingerprints) == 2
    with pytest.raises(InputError, match="made in two ways"):
        sums_of([2], words="SCAN", start=first)


def test_the_file_gives_back_every_number(tmp_path):
    equations = sums_of(range(4))
    path = tmp_path / "equations.npz"
    path.write_bytes(equations.to_bytes())
    found = NormalEquations.read(path)
    for name in ("gram", "moment", "square", "weight"):
        np.testing.assert_array_equal(getattr(found, name), getattr(equations, name))
    assert (found.frames, found.elements, found.basis) == (equations.frames, equations.elements, equations.basis)
    assert (found.closest, found.fingerprints, found.n_rows) == (
        equations.closest,
        equations.fingerprints,
        equations.n_rows,
    )
    with pytest.raises(InputError, match="twice"):
        sums_of([2], start=found)


def test_a_damaged_file_another_version_and_a_pickle_are_refused(tmp_path):
    path = tmp_path / "equations.npz"
    path.write_bytes(sums_of([1]).to_bytes()[:200])
    with pytest.raises(FormatError, match="no normal equations"):
        NormalEquations.read(path)
    with np.load(write(tmp_path / "whole.npz", sums_of([1]).to_bytes())) as content:
        arrays = dict(content)
    head = arrays["head"].tobytes().replace(b'"format": 1', b'"format": 9')
    np.savez(path, **{**arrays, "head": np.frombuffer(head, dtype=np.uint8)})
    with pytest.raises(FormatError, match="format 9, expected 1"):
        NormalEquations.read(path)
    np.savez(path, **{**arrays, "gram": np.array([{"a": 1}], dtype=object)})
    with pytest.raises(FormatError, match="no normal equations"):
        NormalEquations.read(path)
    np.savez(path, **{**arrays, "gram": arrays["gram"][:, :-1]})
    with pytest.raises(FormatError, match="expected that of 6 columns"):
        NormalEquations.read(path)


def write(path, content):
    path.write_bytes(content)
    return path


def test_validation_chooses_the_penalty():
    """Thirty noisy rows for twenty columns: the penalty in the middle generalises best, as found by brute force."""
    draws = np.random.default_rng(0)
    truth = draws.normal(size=20)
    rows, held = draws.normal(size=(30, 20)), draws.normal(size=(500, 20))
    labels = rows @ truth + 3 * draws.normal(size=30)
    held_labels = held @ truth
    gram, moment = rows.T @ rows, rows.T @ labels
    validation = (held.T @ held, held.T @ held_labels, float(held_labels @ held_labels), 500.0)
    penalties = (1e-6, 1e-1, 1e3)
    choice = choose_penalty(gram, moment, validation, penalties)
    errors = [np.sqrt(np.mean((held @ solve(gram, moment, p) - held_labels) ** 2)) for p in penalties]
    np.testing.assert_allclose([error for _, error in choice.tried], errors, rtol=1e-6)
    assert choice.penalty == penalties[int(np.argmin(errors))] == 1e-1
    assert "lowest weighted error" in choice.describe()


def test_a_choice_needs_validation_frames_and_one_penalty_none():
    gram, moment, nothing = np.eye(2), np.ones(2), (np.zeros((2, 2)), np.zeros(2), 0.0, 0.0)
    assert choose_penalty(gram, moment, nothing, (1e-7,)).describe() == "penalty 1e-07, given"
    with pytest.raises(InputError, match="no validation frames"):
        choose_penalty(gram, moment, nothing, (1e-7, 1e-6))


def test_equations_without_a_solution_are_refused():
    with pytest.raises(InputError, match="singular"):
        solve(np.array([[1.0, 2.0], [2.0, 1.0]]), np.ones(2), 1e-9)
