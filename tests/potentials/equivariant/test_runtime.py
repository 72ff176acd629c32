"""The door to torch and nequip leaves a caller's random numbers alone."""

import os
import random

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("nequip")
pytestmark = pytest.mark.filterwarnings("ignore")


def test_the_random_numbers_of_the_caller_are_left_alone(monkeypatch):
    """Nequip seeds all of them with 123 when first used: velocities drawn afterwards were the same in each run."""
    from nequip.utils import global_state

    from mlip_sse.potentials.equivariant.runtime import prepare

    def draw():
        return random.random(), np.random.random(), float(torch.rand(1, dtype=torch.float64))

    def seed():
        random.seed(7)
        np.random.seed(7)
        torch.manual_seed(7)

    for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):
        monkeypatch.delenv(name, raising=False)
    kept = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        seed()
        expected = draw()
        seed()
        monkeypatch.setattr(global_state, "_GLOBAL_STATE_INITIALIZED", False)
        prepare()
        assert draw() == expected
        assert not {"PL_GLOBAL_SEED", "PL_SEED_WORKERS"} & set(os.environ)
    finally:
        random.setstate(kept[0])
        np.random.set_state(kept[1])
        torch.set_rng_state(kept[2])
