"""Sample campaigns, written once."""

import pytest

from tests.report.sample_campaign import Sample, write_campaign

SAMPLES = {
    "resolved": Sample(),
    "not-resolved": Sample(resolved=False, teacher_agrees=False),
    "no-teacher": Sample(teacher_agrees=None, n_frames=60),
    "unfinished": Sample(finished=False, n_rounds=4),
    "seeds-only": Sample(finished=False, n_rounds=1),
}


@pytest.fixture(scope="session")
def samples(tmp_path_factory):
    """Return a folder for each kind of campaign."""
    base = tmp_path_factory.mktemp("campaigns")
    return {name: write_campaign(base / name, sample) for name, sample in SAMPLES.items()}


@pytest.fixture
def campaign(tmp_path):
    """Return a small campaign of this test alone, that it may damage."""
    return write_campaign(tmp_path / "campaign", Sample(n_rounds=3, n_frames=40))
