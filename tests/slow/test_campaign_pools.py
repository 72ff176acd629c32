"""The same campaign through pools of workers and a real SLURM: the same labels, to the last digit."""

import pytest

from tests.slow.one_node_slurm import SlurmUnavailableError, one_node_slurm
from tests.slow.toy_driver import Driver, undisturbed

__all__ = ["undisturbed"]  # a fixture

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("toy_campaign")]

LOCAL = {"scheduler": "local", "lost_after_s": 30}
LANE = {"partition": "main", "wall_time_hours": 0.5}
SLURM = {"scheduler": "slurm", "address": "127.0.0.1", "lost_after_s": 30, "label": LANE, "train": LANE, "md": LANE}


def test_a_local_pool_gives_the_same_campaign(undisturbed, tmp_path):
    found = Driver.of(tmp_path, engine=LOCAL).finish()
    assert found.dataset == undisturbed[1].dataset
    assert found == undisturbed[1]


def test_slurm_gives_the_same_campaign(undisturbed, tmp_path):
    """Three jobs of one core, one for each lane, on a node that is told to have them."""
    try:
        with one_node_slurm(cores=3) as environment:
            found = Driver.of(tmp_path, engine=SLURM).finish(SLURM_CONF=environment["SLURM_CONF"])
    except SlurmUnavailableError as error:
        pytest.skip(f"no SLURM: {error}")
    assert found.dataset == undisturbed[1].dataset
    assert found == undisturbed[1]
