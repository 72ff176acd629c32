"""What tasks of one sort have in common: the function that does them, its settings and its limits."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from mlip_sse.errors import InputError

__all__ = ["Run", "Work", "find_start"]

Run = Callable[[dict[str, Any], Path], Mapping[str, Any]]
"""Does one task: its inputs and its folder in, the result as plain data out."""

_IMPORT_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)


@dataclass(frozen=True)
class Work:
    """How tasks of one sort are done.

    Parameters
    ----------
    start
        ``module:function``. It is called once in each worker process with ``settings``, imports what is heavy, and
        returns a function ``run(inputs, folder) -> plain data`` that does one task after the other.
    settings
        Plain data that does not change the results: commands, threads, where files lie. What does belongs into the
        inputs of the tasks, a file by its sha256.
    time_limit_s
        For one task; one that takes longer is ended with all that it started.
    name
        Enters the ids, so that equal inputs of different work are different tasks.
    """

    start: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    time_limit_s: float = 3600.0
    name: str = ""

    def __post_init__(self) -> None:
        if not _IMPORT_PATH.fullmatch(self.start):
            raise InputError(f"found start {self.start!r}, expected module:function")
        if not self.time_limit_s > 0:
            raise InputError(f"found time_limit_s {self.time_limit_s}, expected more than 0")

    def document(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Return all that decides a task, as its ``input.json`` holds it."""
        return {"work": self.name, **inputs} if self.name else dict(inputs)


def find_start(path: str) -> Callable[[Mapping[str, Any]], Run]:
    """Import the function that a work names.

    Raises
    ------
    InputError
        When there is none.
    """
    module, _, name = path.partition(":")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise InputError(f"{path} cannot be imported ({error}), expected module:function") from error
    start: Callable[[Mapping[str, Any]], Run] = found
    return start
