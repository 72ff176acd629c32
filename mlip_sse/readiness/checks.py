"""What a look at one thing finds, and how a program or a package is looked at without being hurt by it."""

import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.requirements import Requirement

__all__ = ["Check", "extra_check", "installed_versions", "output_of", "own_requirements", "python_says"]

TIMEOUT_S = 60.0
_ONE_PARSER = Lock()


@dataclass(frozen=True)
class Check:
    """One thing looked at: what was found, whether it will do, and what to do where it will not."""

    name: str
    ok: bool
    required: bool
    found: str
    advice: str = ""


def output_of(arguments: list[str], last_line: bool = True) -> tuple[bool, str]:
    """Run a program in its own process, so that its crash is a finding, and return whether it ran and what it said."""
    try:
        done = subprocess.run(
            arguments, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S, errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, " ".join(str(error).split())
    text = (done.stdout if done.returncode == 0 else done.stderr or done.stdout).strip()
    if done.returncode != 0:
        return False, text.splitlines()[-1].strip() if text else f"exit code {done.returncode} without a word"
    return True, text.splitlines()[-1].strip() if last_line and text else text


def python_says(code: str) -> tuple[bool, str]:
    """Run Python code in a process of this interpreter and return whether it ran and its last line."""
    return output_of([sys.executable, "-P", "-W", "ignore", "-c", code])


def own_requirements(extra: str = "") -> list[str]:
    """Return what mlip-sse requires, or what one of its extras adds.

    Raises
    ------
    importlib.metadata.PackageNotFoundError
        When mlip-sse itself is not installed.
    """
    found = []
    for text in metadata.requires("mlip-sse") or []:
        marker = _parsed(text).marker
        always = marker is None or marker.evaluate({"extra": ""})
        if always if not extra else (marker is not None and not always and marker.evaluate({"extra": extra})):
            found.append(text)
    return found


def installed_versions(requirements: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return what is installed of the requirements, as ``name version``, and in words what is wrong with the rest."""
    present, wrong = [], []
    for requirement in map(_parsed, requirements):
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is not installed")
            continue
        present.append(f"{requirement.name} {version}")
        if not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name} {version} is not {requirement.specifier}")
    return present, wrong


def extra_check(name: str, extra: str) -> Check:
    """Look at the packages of an extra, by their versions alone; nothing heavy is imported."""
    advice = f"pip install 'mlip-sse[{extra}]'"
    try:
        requirements = own_requirements(extra)
    except metadata.PackageNotFoundError:
        return Check(name, False, False, "mlip-sse itself is not installed in this environment", advice)
    present, wrong = installed_versions(requirements)
    if not requirements:
        wrong = [f"the mlip-sse that is installed has no extra {extra!r}"]
    return Check(name, not wrong, False, ", ".join(wrong or present), advice)


def _parsed(requirement: str) -> "Requirement":
    """Parse one requirement, one thread at a time.

    The parser asks `ast`, whose depth count Python 3.11 and 3.12 share between threads: a collection of garbage in the
    midst of one thread's parse lets another in, and the first ends with a SystemError (python/cpython#106905).
    """
    from packaging.requirements import Requirement

    with _ONE_PARSER:
        return Requirement(requirement)
