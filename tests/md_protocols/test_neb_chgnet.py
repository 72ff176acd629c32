"""Vacancy hops with CHGNet, a surrogate: the barrier that is known of it, its ends alike."""

import pytest

from mlip_sse.errors import MissingExtraError
from mlip_sse.md_protocols import NebSettings, neb_vacancy_hops
from mlip_sse.references import load_reference
from mlip_sse.structures import crystal


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Converting a tensor:UserWarning")  # torch about CHGNet's own code
def test_li3ocl_has_its_known_barrier_and_equal_ends():
    """0.248 eV with three images of 39 atoms; 0.02 covers forces of 0.05 eV/Å that are left."""
    try:
        calculator = load_reference("chgnet").calculator()
    except MissingExtraError as error:
        pytest.skip(str(error))
    settings = NebSettings(
        cell="isotropic",
        min_width_a=7.5,
        reach=1.05,
        n_images=3,
        fmax=0.02,
        band_fmax=0.05,
        climb_below=0.5,
        n_neighbours=2,
        symmetrise=False,
    )
    (found,) = neb_vacancy_hops(crystal("li3ocl"), calculator, settings)
    assert found.verdict.quality == "pass", found.verdict.reasons
    assert found.barrier_forward.value == pytest.approx(0.248, abs=0.02)
    assert abs(found.reaction_energy) < 0.005
