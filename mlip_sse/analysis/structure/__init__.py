"""Structure in time: partial radial distributions."""

from mlip_sse.analysis.structure.rdf import PairCounter, RadialDistribution, peak_position, radial_distributions

__all__ = ["PairCounter", "RadialDistribution", "peak_position", "radial_distributions"]
