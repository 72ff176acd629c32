"""Protocols run: dynamics, relaxations and equations of state, from a checked spec to results in folders."""

from mlip_sse.md_protocols.bulk_run import BulkDiffusionResult, run_bulk_diffusion
from mlip_sse.md_protocols.bulk_specs import BulkDiffusionSpec
from mlip_sse.md_protocols.hop_barrier import HopBarrier
from mlip_sse.md_protocols.melt_run import MeltQuenchResult, run_melt_quench
from mlip_sse.md_protocols.melt_specs import MeltQuenchSpec
from mlip_sse.md_protocols.neb_run import NebVacancyResult, run_neb_vacancy
from mlip_sse.md_protocols.neb_specs import NebSettings, NebVacancySpec
from mlip_sse.md_protocols.neb_vacancy import neb_vacancy_hops
from mlip_sse.md_protocols.relaxation import Relaxation, relax_atoms
from mlip_sse.md_protocols.result import SegmentResult, SimulationResult
from mlip_sse.md_protocols.run import run
from mlip_sse.md_protocols.specs import DiffusionSpec, ProtocolSpec, load_protocol
from mlip_sse.md_protocols.static_run import StaticResult, run_static
from mlip_sse.md_protocols.static_specs import EquationOfStateSpec, RelaxSpec

__all__ = [
    "BulkDiffusionResult",
    "BulkDiffusionSpec",
    "DiffusionSpec",
    "EquationOfStateSpec",
    "HopBarrier",
    "MeltQuenchResult",
    "MeltQuenchSpec",
    "NebSettings",
    "NebVacancyResult",
    "NebVacancySpec",
    "ProtocolSpec",
    "RelaxSpec",
    "Relaxation",
    "SegmentResult",
    "SimulationResult",
    "StaticResult",
    "load_protocol",
    "neb_vacancy_hops",
    "relax_atoms",
    "run",
    "run_bulk_diffusion",
    "run_melt_quench",
    "run_neb_vacancy",
    "run_static",
]
