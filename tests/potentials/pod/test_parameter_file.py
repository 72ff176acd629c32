"""The files of pair_style pod: every digit, and damage that is refused."""

import numpy as np
import pytest

from mlip_sse.errors import FormatError
from mlip_sse.potentials.pod.parameter_file import (
    coefficients_text,
    parameters_text,
    read_coefficients,
    read_parameters,
)
from tests.potentials.pod.small import recipe


def test_every_bit_of_a_coefficient_comes_back(tmp_path):
    values = np.random.default_rng(2).normal(size=50) * 10.0 ** np.arange(-25, 25)
    path = tmp_path / "coefficients.pod"
    path.write_text(coefficients_text(values))
    assert read_coefficients(path, 50).tolist() == values.tolist()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model_coefficients: 2 0 0\n1\n", "1 lines, expected 2"),
        ("model_coefficients: 3 0 0\n1\n2\n3\n", "3 coefficients announced"),
        ("model_coefficients: 2 0 0\n1\nx\n", "found 'x' in line 3"),
        ("model_coefficients: 2 0 0\n1\nnan\n", "a finite number"),
        ("something else\n", "in line 1"),
        ("", "in line 1"),
    ],
)
def test_a_damaged_coefficient_file_is_refused(tmp_path, text, words):
    path = tmp_path / "coefficients.pod"
    path.write_text(text)
    with pytest.raises(FormatError, match=words):
        read_coefficients(path, 2)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "coefficients.pod"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FormatError, match="no text file"):
        read_coefficients(path, 2)


def test_parameters_are_read_as_written(tmp_path):
    path = tmp_path / "parameters.pod"
    path.write_text(parameters_text(recipe(), ("Li", "Cl")))
    words = read_parameters(path)
    assert words["species"] == ("Li", "Cl")
    assert words["rcut"] == ("4.5",)
    assert words["threebody_angular_degree"] == ("2",)
    assert words["fourbody_number_radial_basis_functions"] == ("0",)


@pytest.mark.parametrize("text", ["species\n", "species Li\nrcut 5\nrcut 6\n", "rcut 5\n"])
def test_damaged_parameters_are_refused(tmp_path, text):
    path = tmp_path / "parameters.pod"
    path.write_text(text)
    with pytest.raises(FormatError, match="expected"):
        read_parameters(path)
