"""Cluster Nernst-Einstein beside the transport analysis, where a recipe asks for it."""

from mlip_sse.analysis.recipes import ClusterSettings
from mlip_sse.analysis.results import Estimate
from mlip_sse.analysis.transport.charge.cluster_conductivity import ClusterConductivity, analyze_clusters
from mlip_sse.analysis.transport.charge.salt_ions import SaltIons, salt_ions
from mlip_sse.analysis.transport.transport_result import TransportResult
from mlip_sse.errors import InputError
from mlip_sse.trajectory.model import Trajectory

__all__ = ["clusters_of"]


def clusters_of(trajectory: Trajectory, result: TransportResult, settings: ClusterSettings) -> ClusterConductivity:
    """Count the clusters of a salt whose ions' diffusivities are known.

    Parameters
    ----------
    trajectory
        That ``result`` was made of.
    result
        Holds the tracer diffusivities of cation and anion, and the charges.
    settings
        Which species are ions, and when they touch.

    Raises
    ------
    InputError
        When the cation's diffusivity was not resolved, or the temperature is not known.
    """
    ions = salt_ions(
        trajectory, settings.cation, settings.anion, binding=settings.binding, bond_length=settings.bond_length
    )
    cation = _diffusivity(result, settings.cation)
    anion = _diffusivity(result, settings.centre)
    if cation is None:
        raise InputError(f"the diffusivity of {settings.cation} was not resolved; run longer or hotter")
    return analyze_clusters(
        trajectory,
        ions,
        settings.cutoff,
        cation,
        anion,
        charges_e=(result.charges.by_species[settings.cation], _charge_of_anion(trajectory, result, ions, settings)),
        stride=settings.stride,
        confidence=result.confidence,
    )


def _diffusivity(result: TransportResult, name: str) -> Estimate | None:
    found = [part.diffusion.diffusivity_cm2_s for part in result.species if part.name == name]
    if not found:
        raise InputError(f"{name} is not among the mobile species {result.mobile}: add it to mobile")
    return found[0]


def _charge_of_anion(
    trajectory: Trajectory, result: TransportResult, ions: SaltIons, settings: ClusterSettings
) -> float:
    """Share the charge of all anion atoms equally among the anions."""
    atoms = trajectory.indices(settings.anion)
    total = float(result.charges.per_atom(trajectory.species[atoms]).sum())
    return total / (int(ions.anion_of_site.max()) + 1)
