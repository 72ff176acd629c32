"""Rows of every width across the 64 bytes that are looked at together, against Python's `float`."""

import numpy as np
import pytest

from mlip_sse.trajectory.readers.numbers import PADDING
from mlip_sse.trajectory.readers.text_rows import Column, RowStatus, pack_label, parse_rows

NOTHING = np.empty(0, np.int64)


def parse(lines: list[str], columns: list[int], labels: np.ndarray = NOTHING) -> tuple[np.ndarray, np.ndarray]:
    text = np.frombuffer(("\n".join(lines) + "\n").encode() + b"7" * PADDING, dtype=np.uint8)
    kinds = np.array(columns, np.int64)
    return parse_rows(text, np.zeros(1, np.int64), kinds, NOTHING, NOTHING, labels, len(lines))


def random_word(rng: np.random.Generator) -> str:
    value = rng.normal() * 10.0 ** rng.integers(-3, 4)
    return [f"{value:.8f}", f"{value:.6f}", f"{value:.2e}", f"{value:.10f}", f"{value:.0f}"][rng.integers(0, 5)]


@pytest.mark.parametrize("n_columns", [1, 3, 6, 9, 14])
def test_rows_of_every_width(n_columns: int) -> None:
    rng = np.random.default_rng(n_columns)
    words = [[random_word(rng) for _ in range(n_columns)] for _ in range(2000)]
    gaps = rng.choice([" ", "  ", "\t", "        ", " " * 70], size=(2000, n_columns), p=[0.5, 0.3, 0.1, 0.08, 0.02])
    ends = rng.choice(["", " ", " \r", "   "], size=2000)
    lines = [
        "".join(gap + word for gap, word in zip(row_gaps, row, strict=True)) + end
        for row_gaps, row, end in zip(gaps, words, ends, strict=True)
    ]
    values, status = parse(lines, list(range(n_columns)))
    assert not status.any()
    np.testing.assert_array_equal(values[0], np.array(words, dtype="S").astype(np.float64))


@pytest.mark.parametrize("before", range(40, 72))
def test_what_is_wrong_is_said_wherever_the_64_bytes_end(before: int) -> None:
    first = "1." + "0" * 6 + " " * (before - 8)
    good = first + "2.5 3.5"
    for row, code, column in [
        (first + "2.5", RowStatus.TOO_FEW_COLUMNS, 2),
        (first + "2.5 3.5 4.5", RowStatus.TOO_MANY_COLUMNS, 3),
        (first + "2x5 3.5", RowStatus.NOT_A_NUMBER_WORD, 1),
        (first + "nan 3.5", RowStatus.NOT_FINITE, 1),
        (first + "2.5.3.5", RowStatus.NOT_A_NUMBER_WORD, 1),
    ]:
        status = parse([good, row, good], [0, 1, 2])[1]
        assert status[0, :3].tolist() == [code, 1, column]


@pytest.mark.parametrize("label", ["H", "Li", "Abcdefg", "Abcdefgh", "Abcdefghi", "A" * 70])
def test_labels_of_every_length(label: str) -> None:
    labels = np.full(2, pack_label(label.encode()), np.int64)
    columns = [Column.LABEL, 0, Column.SKIP]
    values, status = parse([f"{label} 1.5 x", f"{label} 2.5 xyz"], columns, labels)
    assert not status.any()
    assert values[0, :, 0].tolist() == [1.5, 2.5]
    other = label[:-1] + ("y" if label[-1] != "y" else "z")
    assert parse([f"{label} 1.5 x", f"{other} 2.5 x"], columns, labels)[1][0, 0] == RowStatus.LABEL_CHANGED
