"""CHGNet in this process: what others have set for torch neither reaches it nor is changed by it."""

import importlib.util

import numpy as np
import pytest

from mlip_sse.references import load_reference
from mlip_sse.structures import crystal


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of CHGNet's own code and of what it imports
@pytest.mark.skipif(importlib.util.find_spec("chgnet") is None, reason="chgnet is not installed")
def test_double_as_torch_s_default_changes_nothing_and_stays():
    """NequIP and Allegro set it for the process as soon as one of their potentials is loaded."""
    import torch

    found = []
    before = torch.get_default_dtype()
    try:
        for default in (torch.float32, torch.float64):
            torch.set_default_dtype(default)
            atoms = crystal("licl")
            atoms.rattle(0.05, seed=1)
            atoms.calc = load_reference("chgnet").calculator()
            found.append((atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress()))
            assert torch.get_default_dtype() == default
    finally:
        torch.set_default_dtype(before)
    for single, double in zip(*found, strict=True):
        np.testing.assert_array_equal(single, double)
