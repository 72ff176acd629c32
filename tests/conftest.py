"""Shared by all tests: where the repository and the data that may lie beside it are."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# On a busy machine these fail: a deadline of 0.2 s, examples drawn anew at each run, a limit on how long drawing takes.
settings.register_profile("repeatable", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def repository() -> Path:
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data(repository: Path):
    """Return a function that gives the path of a data file of others, or skips where it is not laid beside us."""

    def path_of(name: str) -> Path:
        path = repository.parent / "shared" / "data" / name
        if not path.exists():
            pytest.skip(f"{name} is not beside the repository (../shared/data)")
        return path

    return path_of
