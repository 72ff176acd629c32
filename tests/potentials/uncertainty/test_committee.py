"""Spreads of a committee against the definition."""

import numpy as np
import pytest

from mlip_sse.errors import InputError
from mlip_sse.potentials.uncertainty import energy_spread, force_spreads


def test_force_spread_against_the_definition_and_a_rotation() -> None:
    rng = np.random.default_rng(0)
    forces = rng.normal(size=(4, 5, 3))
    slow = []
    for atom in range(5):
        mean = sum(forces[k, atom] for k in range(4)) / 4
        slow.append(np.sqrt(sum(np.linalg.norm(forces[k, atom] - mean) ** 2 for k in range(4)) / 4))
    np.testing.assert_allclose(force_spreads(forces), slow, rtol=1e-14)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    np.testing.assert_allclose(force_spreads(forces @ rotation), slow, rtol=1e-12)


def test_members_that_agree_have_no_spread() -> None:
    assert force_spreads(np.ones((3, 2, 3))).tolist() == [0.0, 0.0]
    assert energy_spread([1.0, 3.0]) == 1.0


@pytest.mark.parametrize(
    "forces", [np.zeros((1, 2, 3)), np.zeros((4, 6)), np.zeros((2, 2, 2)), np.full((2, 1, 3), np.nan)]
)
def test_what_is_no_committee_is_refused(forces: np.ndarray) -> None:
    with pytest.raises(InputError, match="expected"):
        force_spreads(forces)
