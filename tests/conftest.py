"""Shared by all tests: where the repository and the data that may lie beside it are."""

from pathlib import Path

import pytest


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
