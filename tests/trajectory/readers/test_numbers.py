"""The number and row kernels against Python's own `float`, and against garbage."""

import numpy as np
import pytest

from mlip_sse.trajectory.readers.numbers import PADDING
from mlip_sse.trajectory.readers.text_rows import Column, RowStatus, pack_label, parse_rows, skip_lines

NOTHING = np.empty(0, np.int64)


def buffer(text: str) -> np.ndarray:
    return np.frombuffer(text.encode() + b"7" * PADDING, dtype=np.uint8)  # digits behind the end must not be read


def parse(text: str, columns: list[int], n_atoms: int, **atoms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    given = {"identifiers": NOTHING, "slots": NOTHING, "labels": NOTHING} | atoms
    starts, kinds = np.zeros(1, np.int64), np.array(columns, dtype=np.int64)
    return parse_rows(buffer(text), starts, kinds, given["identifiers"], given["slots"], given["labels"], n_atoms)


def parse_words(words: list[str]) -> np.ndarray:
    values, status = parse("\n".join(words) + "\n", [0], len(words))
    assert not status.any()
    return values[0, :, 0]


def random_words(seed: int, n_digits: tuple[int, int], n: int = 4000) -> list[str]:
    rng = np.random.default_rng(seed)
    words = []
    for _ in range(n):
        digits = "".join(str(d) for d in rng.integers(0, 10, rng.integers(*n_digits)))
        point = int(rng.integers(0, len(digits) + 1))
        word = rng.choice(["", "-", "+"]) + digits[:point] + "." + digits[point:]
        if rng.random() < 0.3:
            word += f"{rng.choice(['e', 'E'])}{rng.choice(['', '+', '-'])}{rng.integers(0, 8)}"
        words.append(str(word))
    return words


def test_up_to_fifteen_digits_are_the_nearest_double() -> None:
    words = random_words(1, (1, 16))
    np.testing.assert_array_equal(parse_words(words), [float(word) for word in words])


def test_up_to_nineteen_digits_are_within_one_and_a_half_units_in_the_last_place() -> None:
    words = random_words(2, (16, 20))
    expected = np.array([float(word) for word in words])
    # mantissa to double 0.5, power of ten 0.5, and the nearest double itself 0.5
    assert (np.abs(parse_words(words) - expected) <= 1.5 * np.spacing(np.abs(expected))).all()


@pytest.mark.parametrize(
    "word",
    [
        *("0", "-0", "7", "00012", "1.", ".5", "-.5", "+3", "12345678", "123456789012345678", "1e22", "1E-22", "1d3"),
        *("1.79e308", "4.9e-324", "2.2250738585072014e-308", "1e-400", "0e999", "0.1e-320"),
        *("0.00000000000000000000000012345", "123456789012345678901234567890", "3.14159265358979323846264338327950288"),
    ],
)
def test_unusual_numbers(word: str) -> None:
    expected = float(word.replace("d", "e"))
    # 1e±300 go through a power of ten that is itself rounded: a few units in the last place
    assert parse_words([word])[0] == pytest.approx(expected, rel=1e-15, abs=1e-323)


@pytest.mark.parametrize("word", ["nan", "NaN", "-nan", "inf", "-Inf", "Infinity", "1e400", "-1e999"])
def test_what_is_not_finite_is_said(word: str) -> None:
    assert parse(f"1 {word} 2\n", [0, 1, 2], 1)[1][0, :3].tolist() == [RowStatus.NOT_FINITE, 0, 1]


@pytest.mark.parametrize(
    "word",
    ["1.2.3", "abc", "-", "+", ".", "--1", "1-2", "1e", "1e+", "1,5", "0x10", "1_0", "1e5.0", "***", "1\x002", "é"],
)
def test_garbage_is_not_a_number(word: str) -> None:
    _, status = parse(f"1 2 3\n4 {word} 6\n", [0, 1, 2], 2)
    assert status[0, :3].tolist() == [RowStatus.NOT_A_NUMBER_WORD, 1, 1]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("1 2\n", RowStatus.TOO_FEW_COLUMNS),
        ("\n", RowStatus.TOO_FEW_COLUMNS),
        ("1 2 3 4\n", RowStatus.TOO_MANY_COLUMNS),
        ("1 2 3 x\n", RowStatus.TOO_MANY_COLUMNS),
    ],
)
def test_missing_and_extra_columns(line: str, code: RowStatus) -> None:
    assert parse("1 2 3\n" + line, [0, 1, 2], 2)[1][0, :2].tolist() == [code, 1]


def test_blanks_tabs_and_carriage_returns_separate() -> None:
    values, status = parse("  1\t2   3 \r\n4 5 6\t\r\n", [0, 1, 2], 2)
    assert not status.any()
    np.testing.assert_array_equal(values[0], [[1, 2, 3], [4, 5, 6]])


def test_rows_are_put_in_the_order_of_their_identifiers() -> None:
    rng = np.random.default_rng(3)
    identifiers = np.sort(rng.choice(10_000, 500, replace=False)).astype(np.int64)
    numbers = rng.normal(size=(500, 3))
    first, second = rng.permutation(500), rng.permutation(500)
    slots = first.astype(np.int64)
    labels = np.array([pack_label(b"Li" if i % 2 else b"Cl") for i in range(500)], dtype=np.int64)
    text = "".join(
        f"{'Li' if i % 2 else 'Cl'} {identifiers[i]} {x:.17g} {y:.17g} {z:.17g} H\n"
        for i, (x, y, z) in zip(second, numbers[second], strict=True)
    )
    columns = [Column.LABEL, Column.IDENTIFIER, 2, 1, 0, Column.SKIP]
    values, status = parse(text, columns, 500, identifiers=identifiers, slots=slots, labels=labels)
    assert not status.any()
    np.testing.assert_allclose(values[0], numbers[:, ::-1], rtol=4e-16)


@pytest.mark.parametrize(
    ("rows", "code", "row"),
    [
        ("1 A 0\n2 B 0\n4 A 0\n", RowStatus.UNKNOWN_IDENTIFIER, 2),
        ("1 A 0\n2 B 0\n1 A 0\n", RowStatus.REPEATED_IDENTIFIER, 2),
        ("1 A 0\n2 A 0\n3 A 0\n", RowStatus.LABEL_CHANGED, 1),
        ("1 A 0\n1.5 B 0\n3 A 0\n", RowStatus.NOT_A_NUMBER_WORD, 1),
    ],
)
def test_other_atoms_than_in_the_first_frame(rows: str, code: RowStatus, row: int) -> None:
    atoms = {
        "identifiers": np.array([1, 2, 3]),
        "slots": np.arange(3),
        "labels": np.array([pack_label(b"A"), pack_label(b"B"), pack_label(b"A")]),
    }
    _, status = parse(rows, [Column.IDENTIFIER, Column.LABEL, 0], 3, **atoms)
    assert status[0, :2].tolist() == [code, row]


def test_lines_are_counted_as_python_counts_them() -> None:
    rng = np.random.default_rng(4)
    text = "".join("x" * int(width) + "\n" for width in rng.integers(0, 60, 300))
    data = buffer(text)
    for n_lines in (1, 2, 17, 299, 300):
        position, _ = skip_lines(data, 0, n_lines, len(text))
        assert position == len("".join(text.splitlines(keepends=True)[:n_lines]))
    assert tuple(skip_lines(data, 0, 301, len(text))) == (-1, 300)
    assert tuple(skip_lines(data, 0, 300, len(text) - 1)) == (-1, 299)
