"""The short-range core and the loss of forces, against their formulas."""

import numpy as np
import pytest
from ase import Atoms
from ase.data import atomic_numbers

torch = pytest.importorskip("torch")
pytest.importorskip("nequip")
pytestmark = pytest.mark.filterwarnings("ignore")


def plain_core(first, second, distance, inner, outer):
    """Return the energy of a dimer in eV, written out."""
    z_first, z_second = atomic_numbers[first], atomic_numbers[second]
    x = distance / (0.46850 / (z_first**0.23 + z_second**0.23))
    coefficients, decays = (0.18175, 0.50986, 0.28022, 0.02817), (3.19980, 0.94229, 0.40290, 0.20162)
    screening = sum(c * np.exp(-d * x) for c, d in zip(coefficients, decays, strict=True))
    step = min(max((distance - inner) / (outer - inner), 0.0), 1.0)
    switch = 1 - step**3 * (10 - 15 * step + 6 * step**2)
    return switch * 14.399645 * z_first * z_second / distance * screening


@pytest.mark.parametrize("distance", [0.5, 0.99, 1.3, 1.7, 1.999, 2.001, 3.0])
@pytest.mark.parametrize("pair", [("Li", "S"), ("P", "S")])
def test_the_core_equals_its_formula(pair, distance):
    from mlip_sse.potentials.equivariant.compiled import transforms
    from mlip_sse.potentials.equivariant.core import CoreOnly
    from mlip_sse.potentials.equivariant.runtime import prepare

    prepare()
    elements = ["Li", "P", "S"]
    core = CoreOnly(
        seed=0, model_dtype="float64", compile_mode="eager", type_names=elements, r_max=4.0, inner=1.0, outer=2.0
    )

    def evaluate(length):
        from nequip.data import from_ase

        data = from_ase(Atoms(list(pair), positions=[[0, 0, 0], [0, 0.6 * length, 0.8 * length]], cell=[9] * 3, pbc=1))
        for transform in transforms(elements, 4.0):
            data = transform(data)
        found = core(data)
        return float(found["total_energy"].sum()), found["forces"].detach().numpy()

    energy, forces = evaluate(distance)
    # The screening constants are given with five digits.
    assert energy == pytest.approx(plain_core(*pair, distance, 1.0, 2.0), rel=1e-4, abs=1e-12)
    step = 1e-5
    slope = (evaluate(distance + step)[0] - evaluate(distance - step)[0]) / (2 * step)
    assert forces[1] @ [0, 0.6, 0.8] == pytest.approx(-slope, rel=1e-6, abs=1e-6)


def test_the_loss_is_the_mean_length_of_the_errors_and_no_rotation_changes_it():
    from scipy.spatial.transform import Rotation

    from mlip_sse.potentials.equivariant.loss import MeanVectorLength

    rng = np.random.default_rng(0)
    found, label = rng.normal(size=(2, 20, 3))
    expected = np.mean([np.sqrt(sum(c**2 for c in row)) for row in found - label])
    rotation = Rotation.random(rng=rng).as_matrix()
    for matrix in (np.eye(3), rotation):
        metric = MeanVectorLength()
        for part in (slice(0, 5), slice(5, 20)):
            metric.update(torch.tensor(found[part] @ matrix), torch.tensor(label[part] @ matrix))
        assert float(metric.compute()) == pytest.approx(expected, rel=1e-12)
