"""Stiffness, expansion, and what they mean for lithium metal against an electrolyte."""

from mlip_sse.analysis.mechanics.anisotropic_dendrites import (
    DirectionalStability,
    anisotropic_stability,
    isotropic_stiffness,
    stability_over_directions,
)
from mlip_sse.analysis.mechanics.dendrites import (
    Interface,
    StabilityParameter,
    critical_shear_ratio,
    stability_parameter,
)
from mlip_sse.analysis.mechanics.elastic_moduli import ElasticModuli, elastic_moduli, stability_eigenvalues
from mlip_sse.analysis.mechanics.elastic_tensor import ElasticTensor, fit_elastic_tensor
from mlip_sse.analysis.mechanics.expansion import ThermalExpansion, thermal_expansion
from mlip_sse.analysis.mechanics.mismatch import layer_stress, layer_stresses_shared, mismatch_stress
from mlip_sse.analysis.mechanics.quasi_harmonic import QuasiHarmonic, quasi_harmonic_expansion
from mlip_sse.analysis.mechanics.strain_fluctuations import FluctuationStiffness, fluctuation_stiffness

__all__ = [
    "DirectionalStability",
    "ElasticModuli",
    "ElasticTensor",
    "FluctuationStiffness",
    "Interface",
    "QuasiHarmonic",
    "StabilityParameter",
    "ThermalExpansion",
    "anisotropic_stability",
    "critical_shear_ratio",
    "elastic_moduli",
    "fit_elastic_tensor",
    "fluctuation_stiffness",
    "isotropic_stiffness",
    "layer_stress",
    "layer_stresses_shared",
    "mismatch_stress",
    "quasi_harmonic_expansion",
    "stability_eigenvalues",
    "stability_over_directions",
    "stability_parameter",
    "thermal_expansion",
]
