"""The door to torch and nequip: imported once, one thread, the right device, and silent."""

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mlip_sse.errors import InputError, MissingExtraError

__all__ = ["PACKAGES", "audible", "choose_device", "package_versions", "prepare", "quiet", "release"]

PACKAGES = ("nequip", "nequip-allegro", "torch", "lightning")
"""The packages whose versions decide whether weights and checkpoints can be read."""

_SEEDS = ("PL_GLOBAL_SEED", "PL_SEED_WORKERS")
"""What Lightning leaves in the environment when nequip seeds by it."""

_LOGGERS = ("lightning", "lightning.pytorch", "lightning.fabric", "nequip", "allegro", "torch", "e3nn", "hydra")


def package_versions() -> dict[str, str]:
    """Return the installed version of each of `PACKAGES`.

    Raises
    ------
    MissingExtraError
        When one is not installed.
    """
    try:
        return {package: version(package) for package in PACKAGES}
    except PackageNotFoundError as error:
        raise MissingExtraError("a NequIP or Allegro potential", "nequip") from error


def release(full_version: str) -> str:
    """Return major and minor number; within them, state dicts and checkpoints do not change."""
    return ".".join(full_version.split("+")[0].split(".")[:2])


def prepare(threads: int | None = None) -> None:
    """Import torch and nequip and set what they need before a model is built.

    nequip makes double precision torch's default, for good, and would seed the random numbers of Python, NumPy and
    torch with 123: those are left as they are, or else velocities that a caller draws would be the same in each run.

    Parameters
    ----------
    threads
        Torch threads of this process; None leaves them at one, or at what was told before.

    Raises
    ------
    MissingExtraError
        When they are not installed.
    """
    package_versions()
    with quiet(None):
        import torch

        global _threads_were_set
        if threads is not None or not _threads_were_set:
            torch.set_num_threads(threads or 1)
            _threads_were_set = True
        from lightning.pytorch.utilities.seed import isolate_rng
        from nequip.utils.global_state import set_global_state

        told = {name: os.environ.get(name) for name in _SEEDS}
        with isolate_rng(include_cuda=torch.cuda.is_initialized()):
            set_global_state()
        for name, value in told.items():
            if value is None:
                os.environ.pop(name, None)


_threads_were_set = False


def choose_device(wanted: str) -> str:
    """Return ``cpu`` or ``cuda``.

    Raises
    ------
    InputError
        When a CUDA device is asked for and there is none.
    """
    import torch

    found = torch.cuda.is_available()
    if wanted == "cuda" and not found:
        raise InputError("found no CUDA device, expected one as training.device says: set it to auto or cpu")
    return "cuda" if wanted != "cpu" and found else "cpu"


@contextlib.contextmanager
def quiet(log: Path | None) -> Iterator[None]:
    """Send what nequip, Lightning and torch print, log and warn into a file, or nowhere.

    Parameters
    ----------
    log
        A file, which is appended to.
    """
    handler: logging.Handler = logging.NullHandler() if log is None else logging.FileHandler(log, delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s"))
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [(logger.handlers[:], logger.propagate) for logger in loggers]
    with contextlib.ExitStack() as stack:
        sink = stack.enter_context(open(log or os.devnull, "a", encoding="utf-8"))
        stack.enter_context(contextlib.redirect_stdout(sink))
        stack.enter_context(contextlib.redirect_stderr(sink))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.handlers, logger.propagate = [handler], False
        try:
            yield
        finally:
            for logger, (handlers, propagate) in zip(loggers, before, strict=True):
                logger.handlers, logger.propagate = handlers, propagate
            handler.close()


def audible(report: Callable[[float, str], None]) -> Callable[[float, str], None]:
    """Return a callback that prints where it would have printed here, though it is called within `quiet`."""
    out, err = sys.stdout, sys.stderr

    def tell(share: float, line: str) -> None:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            report(share, line)

    return tell
