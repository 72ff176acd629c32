"""Protocols run: dynamics, relaxations and equations of state, from a checked spec to results in folders.

The names below load on first use: a worker that runs one of them shall not wait for the others.
"""

from typing import TYPE_CHECKING

from mlip_sse.lazy_names import lazy_names

if TYPE_CHECKING:
    from mlip_sse.md_protocols.barrier_tasks import NebResult
    from mlip_sse.md_protocols.bulk_run import BulkDiffusionResult, run_bulk_diffusion
    from mlip_sse.md_protocols.bulk_specs import BulkDiffusionSpec
    from mlip_sse.md_protocols.diffusion_run import run
    from mlip_sse.md_protocols.elastic_constants import ElasticScan, elastic_scan
    from mlip_sse.md_protocols.elastic_specs import ElasticSpec
    from mlip_sse.md_protocols.expansion_run import ThermalExpansionResult, run_thermal_expansion
    from mlip_sse.md_protocols.expansion_specs import ThermalExpansionSpec
    from mlip_sse.md_protocols.hop_barrier import HopBarrier
    from mlip_sse.md_protocols.interface_anneal import InterfaceAnnealResult, anneal_interface, run_interface_anneal
    from mlip_sse.md_protocols.interface_energy import InterfaceEnergies, interface_energies
    from mlip_sse.md_protocols.interface_energy_run import InterfaceEnergyResult, run_interface_energy
    from mlip_sse.md_protocols.interface_layers import TwoSidedCell
    from mlip_sse.md_protocols.interface_specs import InterfaceAnnealSpec, InterfaceEnergySpec, InterfaceSpec
    from mlip_sse.md_protocols.melt_run import MeltQuenchResult, run_melt_quench
    from mlip_sse.md_protocols.melt_specs import MeltQuenchSpec
    from mlip_sse.md_protocols.neb_batch import NebBatchResult, run_neb_batch
    from mlip_sse.md_protocols.neb_interstitial import neb_interstitial_hops
    from mlip_sse.md_protocols.neb_run import run_neb_images, run_neb_interstitial, run_neb_vacancy
    from mlip_sse.md_protocols.neb_specs import (
        InterstitialSettings,
        NebBatchSpec,
        NebImagesSpec,
        NebInterstitialSpec,
        NebSettings,
        NebVacancySpec,
    )
    from mlip_sse.md_protocols.neb_vacancy import neb_vacancy_hops
    from mlip_sse.md_protocols.quasi_harmonic import QuasiHarmonicScan, quasi_harmonic_scan
    from mlip_sse.md_protocols.quasi_harmonic_specs import QuasiHarmonicSpec
    from mlip_sse.md_protocols.relaxation import Relaxation, relax_atoms
    from mlip_sse.md_protocols.result import SegmentResult, SimulationResult
    from mlip_sse.md_protocols.specs import DiffusionSpec, ProtocolSpec, load_protocol
    from mlip_sse.md_protocols.static_run import StaticResult, run_static
    from mlip_sse.md_protocols.static_specs import EquationOfStateSpec, RelaxSpec

__all__ = [
    "BulkDiffusionResult",
    "BulkDiffusionSpec",
    "DiffusionSpec",
    "ElasticScan",
    "ElasticSpec",
    "EquationOfStateSpec",
    "HopBarrier",
    "InterfaceAnnealResult",
    "InterfaceAnnealSpec",
    "InterfaceEnergies",
    "InterfaceEnergyResult",
    "InterfaceEnergySpec",
    "InterfaceSpec",
    "InterstitialSettings",
    "MeltQuenchResult",
    "MeltQuenchSpec",
    "NebBatchResult",
    "NebBatchSpec",
    "NebImagesSpec",
    "NebInterstitialSpec",
    "NebResult",
    "NebSettings",
    "NebVacancySpec",
    "ProtocolSpec",
    "QuasiHarmonicScan",
    "QuasiHarmonicSpec",
    "RelaxSpec",
    "Relaxation",
    "SegmentResult",
    "SimulationResult",
    "StaticResult",
    "ThermalExpansionResult",
    "ThermalExpansionSpec",
    "TwoSidedCell",
    "anneal_interface",
    "elastic_scan",
    "interface_energies",
    "load_protocol",
    "neb_interstitial_hops",
    "neb_vacancy_hops",
    "quasi_harmonic_scan",
    "relax_atoms",
    "run",
    "run_bulk_diffusion",
    "run_interface_anneal",
    "run_interface_energy",
    "run_melt_quench",
    "run_neb_batch",
    "run_neb_images",
    "run_neb_interstitial",
    "run_neb_vacancy",
    "run_static",
    "run_thermal_expansion",
]

_HOME = {
    "BulkDiffusionResult": "bulk_run",
    "BulkDiffusionSpec": "bulk_specs",
    "DiffusionSpec": "specs",
    "ElasticScan": "elastic_constants",
    "ElasticSpec": "elastic_specs",
    "EquationOfStateSpec": "static_specs",
    "HopBarrier": "hop_barrier",
    "InterfaceAnnealResult": "interface_anneal",
    "InterfaceAnnealSpec": "interface_specs",
    "InterfaceEnergies": "interface_energy",
    "InterfaceEnergyResult": "interface_energy_run",
    "InterfaceEnergySpec": "interface_specs",
    "InterfaceSpec": "interface_specs",
    "InterstitialSettings": "neb_specs",
    "MeltQuenchResult": "melt_run",
    "MeltQuenchSpec": "melt_specs",
    "NebBatchResult": "neb_batch",
    "NebBatchSpec": "neb_specs",
    "NebImagesSpec": "neb_specs",
    "NebInterstitialSpec": "neb_specs",
    "NebResult": "barrier_tasks",
    "NebSettings": "neb_specs",
    "NebVacancySpec": "neb_specs",
    "ProtocolSpec": "specs",
    "QuasiHarmonicScan": "quasi_harmonic",
    "QuasiHarmonicSpec": "quasi_harmonic_specs",
    "RelaxSpec": "static_specs",
    "Relaxation": "relaxation",
    "SegmentResult": "result",
    "SimulationResult": "result",
    "StaticResult": "static_run",
    "ThermalExpansionResult": "expansion_run",
    "ThermalExpansionSpec": "expansion_specs",
    "TwoSidedCell": "interface_layers",
    "anneal_interface": "interface_anneal",
    "elastic_scan": "elastic_constants",
    "interface_energies": "interface_energy",
    "load_protocol": "specs",
    "neb_interstitial_hops": "neb_interstitial",
    "neb_vacancy_hops": "neb_vacancy",
    "quasi_harmonic_scan": "quasi_harmonic",
    "relax_atoms": "relaxation",
    "run": "diffusion_run",
    "run_bulk_diffusion": "bulk_run",
    "run_interface_anneal": "interface_anneal",
    "run_interface_energy": "interface_energy_run",
    "run_melt_quench": "melt_run",
    "run_neb_batch": "neb_batch",
    "run_neb_images": "neb_run",
    "run_neb_interstitial": "neb_run",
    "run_neb_vacancy": "neb_run",
    "run_static": "static_run",
    "run_thermal_expansion": "expansion_run",
}

__getattr__, __dir__ = lazy_names(__name__, _HOME, __all__)
