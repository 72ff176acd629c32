"""Every error a user can cause: ours and the matching builtin at once.

A message says what was found, what was expected and what to do next, in one line; the command line prints it without a
traceback and leaves with ``exit_code``.
"""

from collections.abc import Iterable

__all__ = [
    "CatalogueError",
    "FormatError",
    "InputError",
    "MissingExtraError",
    "MlipSseError",
    "RunError",
    "SpecError",
    "did_you_mean",
]


class MlipSseError(Exception):
    """Base of all errors that mlip-sse raises on purpose."""

    exit_code = 1


class InputError(MlipSseError, ValueError):
    """An argument, array or option that cannot be used."""

    exit_code = 2


class FormatError(InputError):
    """A file that is not what its name, or the caller, says it is."""


class SpecError(InputError):
    """A spec with an unknown key, a wrong type or an impossible value."""


class CatalogueError(MlipSseError, LookupError):
    """A catalogue entry that does not exist; the message lists those that do."""

    exit_code = 2


class MissingExtraError(MlipSseError, ImportError):
    """A feature whose optional dependency is not installed; the message names the extra."""

    exit_code = 2

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an optional dependency: pip install 'mlip-sse[{extra}]'")


class RunError(MlipSseError, RuntimeError):
    """An external program that failed or gave an unusable result."""


def did_you_mean(found: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the known name nearest to ``found``, or nothing where none is near."""
    from difflib import get_close_matches

    by_lower = {name.lower(): name for name in known}
    near = get_close_matches(found.lower(), by_lower, n=1, cutoff=0.6)
    return f"; did you mean {by_lower[near[0]]!r}?" if near else ""
