"""One object for all of transport: settings in, a trajectory through, a result with intervals and a verdict out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.results import Estimate, Quality, Verdict
from mlip_sse.analysis.transport.charge.charges import Charges, charges_of
from mlip_sse.analysis.transport.charge.conductivity import (
    charge_conductivity,
    haven_ratio,
    log_covariance,
    nernst_einstein_conductivity,
)
from mlip_sse.analysis.transport.charge.green_kubo import (
    Agreement,
    GreenKuboConductivity,
    agreement,
    charge_current,
    collective_spectrum_diffusivity,
    green_kubo_conductivity,
)
from mlip_sse.analysis.transport.charge.onsager import OnsagerMatrix, onsager_matrix
from mlip_sse.analysis.transport.displacement.diffusion import Diffusion, charge_diffusion, tracer_diffusion
from mlip_sse.analysis.transport.displacement.displacements import DisplacementMoments, displacement_moments
from mlip_sse.analysis.transport.displacement.lags import log_lags
from mlip_sse.analysis.transport.displacement.onset import LONGEST_START
from mlip_sse.analysis.transport.displacement.slope import WINDOW_RATIO
from mlip_sse.analysis.transport.displacement.tensor import DiffusionTensor, diffusion_tensor
from mlip_sse.analysis.transport.displacement.time_bins import TimeBins, time_bins
from mlip_sse.analysis.transport.transport_result import SpeciesTransport, TransportResult
from mlip_sse.errors import InputError
from mlip_sse.trajectory.model import Trajectory
from mlip_sse.units import A2_PER_FS_TO_CM2_PER_S

__all__ = ["Transport"]

MIN_FRAMES = 40
LARGE_CHARGE_ERROR = 0.3


@dataclass(frozen=True)
class Transport:
    """Ionic transport of one or several mobile species.

    Parameters
    ----------
    mobile
        Species whose transport is wanted; the others are the framework.
    reference
        What is held at rest: ``framework``, ``barycentric``, ``none`` or ``species:P,S``.
    charges
        Charges in e by species; oxidation states where left out.
    hop_distance
        Distance of neighbouring sites in Å, for verdict and detection limit; it does not enter the value.
    confidence
        Of all intervals.
    n_lags
        Number of log-spaced lags up to half of the trajectory.
    n_bins
        Number of time bins that the errors are made of.

    Examples
    --------
    >>> result = Transport(mobile="Li").run(trajectory)  # doctest: +SKIP
    >>> result.tracer_diffusivity_cm2_s  # doctest: +SKIP
    """

    mobile: str | Sequence[str] = "Li"
    reference: str = "framework"
    charges: Mapping[str, float] | None = None
    hop_distance: float = 3.0
    confidence: float = 0.95
    n_lags: int = 100
    n_bins: int = 64
    species: tuple[str, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        names = [self.mobile] if isinstance(self.mobile, str) else list(self.mobile)
        if not names or len(set(names)) != len(names):
            raise InputError(f"mobile is {self.mobile!r}, expected one or several different species, such as 'Li'")
        for name, value, low, high in (
            ("hop_distance", self.hop_distance, 0.0, 100.0),
            ("confidence", self.confidence, 0.0, 1.0),
        ):
            if not low < value < high:
                raise InputError(f"{name} is {value!r}, expected a number between {low:g} and {high:g}")
        object.__setattr__(self, "species", tuple(names))

    def run(self, trajectory: Trajectory) -> TransportResult:
        """Analyse one trajectory.

        Parameters
        ----------
        trajectory
            Unwrapped coordinates; seen from ``reference`` by this call, whatever frame it came in.

        Returns
        -------
        TransportResult

        Raises
        ------
        InputError
            When a species is missing, there is no framework to hold, or the trajectory has fewer than 40 frames.
        """
        if trajectory.n_frames < MIN_FRAMES:
            raise InputError(
                f"the trajectory has {trajectory.n_frames} frames, expected at least {MIN_FRAMES} for transport"
            )
        seen = trajectory.in_reference_frame(self.reference, self.species)
        charges = charges_of(seen.species, self.charges)
        lags = log_lags(seen.n_frames, self.n_lags)
        short = lags[lags * LONGEST_START <= WINDOW_RATIO * seen.n_frames]
        parts = {name: self._species(seen, name, lags, short) for name in self.species}
        result = self._collective(seen, parts, charges, lags, short)
        settings = {key: value for key, value in asdict(self).items() if key != "species"}
        provenance = replace(seen.provenance.then("transport"), settings=settings)
        return replace(result, provenance=provenance)

    def _species(
        self, trajectory: Trajectory, name: str, lags: NDArray[np.int64], short: NDArray[np.int64]
    ) -> SpeciesTransport:
        moments, bins = [], []
        indices = trajectory.indices(name)
        for block in trajectory.ion_blocks(indices):
            moments.append(displacement_moments(block, lags))
            bins.append(time_bins(block, short, self.n_bins))
        merged, binned = DisplacementMoments.merge(moments), TimeBins.merge(bins)
        spacing = trajectory.frame_spacing_fs
        diffusion = tracer_diffusion(merged, binned, spacing, self.hop_distance)
        tensor: DiffusionTensor | None = None
        if diffusion.fit is not None and diffusion.diffusivity_cm2_s is not None:
            tensor = diffusion_tensor(merged, binned, diffusion.fit, trajectory.mean_cell, spacing, self.confidence)
        return SpeciesTransport(name, len(indices), merged, binned, diffusion, tensor)

    def _collective(
        self,
        trajectory: Trajectory,
        parts: dict[str, SpeciesTransport],
        charges: Charges,
        lags: NDArray[np.int64],
        short: NDArray[np.int64],
    ) -> TransportResult:
        spacing, volume, temperature = trajectory.frame_spacing_fs, trajectory.mean_volume, trajectory.temperature_k
        squared = {name: part.n_ions * charges.by_species[name] ** 2 for name, part in parts.items()}
        total_squared = sum(squared.values())
        if total_squared <= 0:
            raise InputError(f"the mobile species carry no charge ({charges.statement}); give charges")
        dipoles = self._dipoles(trajectory, charges)
        charge = dipoles.sum(axis=0)
        walker = np.ascontiguousarray((charge - charge.mean(axis=0)).T)[None]
        moments, bins = displacement_moments(walker, lags), time_bins(walker, short, self.n_bins)
        leading = max(parts.values(), key=lambda part: squared[part.name])
        spectrum = collective_spectrum_diffusivity(charge, spacing).scaled(A2_PER_FS_TO_CM2_PER_S / total_squared)
        diffusion = charge_diffusion(
            moments, bins, total_squared, spacing, leading.diffusion, spectrum=spectrum.estimate
        )
        tracers = {
            name: part.diffusion.diffusivity_cm2_s
            for name, part in parts.items()
            if part.diffusion.diffusivity_cm2_s is not None
        }
        nernst_einstein = conductivity = haven = None
        if len(tracers) == len(parts) and diffusion.diffusivity_cm2_s is not None:
            haven = self._haven(tracers, squared, leading, diffusion, bins)
        if temperature is not None:
            if len(tracers) == len(parts):
                nernst_einstein = nernst_einstein_conductivity(tracers, squared, volume, temperature)
            if diffusion.diffusivity_cm2_s is not None:
                conductivity = charge_conductivity(diffusion.diffusivity_cm2_s, total_squared, volume, temperature)
        green_kubo = self._green_kubo(trajectory, charges)
        checked = self._agreement(diffusion, spectrum.estimate, conductivity, green_kubo)
        return TransportResult(
            confidence=self.confidence,
            temperature_k=temperature,
            frame_spacing_fs=spacing,
            duration_fs=trajectory.duration_fs,
            volume=volume,
            reference=trajectory.reference,
            charges=charges,
            species=tuple(parts.values()),
            charge=diffusion,
            charge_moments=moments,
            sum_of_squared_charges=total_squared,
            haven=haven,
            conductivity=conductivity,
            nernst_einstein=nernst_einstein,
            spectrum=spectrum,
            green_kubo=green_kubo,
            agreement=checked,
            onsager=self._onsager(trajectory, dipoles, parts, charges),
            verdict=_verdict(parts, diffusion, checked, temperature),
        )

    def _dipoles(self, trajectory: Trajectory, charges: Charges) -> NDArray[np.float64]:
        """Charge displacement of each mobile species, (n_species, n_frames, 3) e Å."""
        dipoles = []
        for name in self.species:
            weights = np.where(trajectory.species == name, charges.by_species[name], 0.0)
            dipoles.append(trajectory.weighted_sum(weights))
        return np.stack(dipoles)

    def _haven(
        self,
        tracers: dict[str, Estimate],
        squared: dict[str, float],
        leading: SpeciesTransport,
        charge: Diffusion,
        charge_bins: TimeBins,
    ) -> Estimate | None:
        if leading.diffusion.fit is None or charge.fit is None or charge.diffusivity_cm2_s is None:
            return None
        total = sum(squared.values())
        mean = nernst_einstein_conductivity(tracers, squared, 1.0, 1.0)
        value = sum(squared[name] * tracers[name].value for name in tracers) / total
        covariance = 0.0
        if charge.from_slope:
            covariance = log_covariance((leading.bins, leading.diffusion.fit), (charge_bins, charge.fit))
        return haven_ratio(replace(mean, value=value), charge.diffusivity_cm2_s, covariance)

    def _green_kubo(self, trajectory: Trajectory, charges: Charges) -> GreenKuboConductivity | None:
        if trajectory.velocities is None or trajectory.temperature_k is None:
            return None
        moving = np.isin(trajectory.species, self.species)
        weights = np.where(moving, charges.per_atom(trajectory.species), 0.0)
        kind = trajectory.reference.partition(":")[0]
        present = sorted({str(symbol) for symbol in trajectory.species})
        held: NDArray[np.intp] | None
        if kind in ("framework", "species"):
            held = trajectory.indices(trajectory.reference.partition(":")[2].split(","))
        else:
            held = trajectory.indices(present) if kind == "barycentric" else None
        current = charge_current(trajectory.velocities, weights, trajectory.masses, held)
        return green_kubo_conductivity(
            current, trajectory.frame_spacing_fs, trajectory.mean_volume, trajectory.temperature_k
        )

    def _agreement(
        self,
        charge: Diffusion,
        spectrum: Estimate | None,
        conductivity: Estimate | None,
        green_kubo: GreenKuboConductivity | None,
    ) -> Agreement | None:
        """Compare the estimators of the charge diffusivity; Green-Kubo is brought to its unit by the conductivity."""
        estimates = {}
        if charge.diffusivity_cm2_s is not None and charge.from_slope:
            estimates["MSD slope"] = charge.diffusivity_cm2_s
        if spectrum is not None:
            estimates["low-frequency spectrum"] = spectrum
        mobility = charge.diffusivity_cm2_s
        if green_kubo is not None and green_kubo.conductivity_ms_cm is not None and conductivity and mobility:
            to_diffusivity = mobility.value / conductivity.value
            estimates["Green-Kubo"] = green_kubo.conductivity_ms_cm.scaled(to_diffusivity)
        return agreement(estimates) if len(estimates) > 1 else None

    def _onsager(
        self,
        trajectory: Trajectory,
        dipoles: NDArray[np.float64],
        parts: dict[str, SpeciesTransport],
        charges: Charges,
    ) -> OnsagerMatrix | None:
        if len(parts) < 2 or trajectory.temperature_k is None:
            return None
        states = np.array([charges.by_species[name] for name in parts])
        if not states.all():
            return None
        rates = {
            name: part.diffusion.diffusivity_cm2_s.scaled(part.n_ions / A2_PER_FS_TO_CM2_PER_S)
            for name, part in parts.items()
            if part.diffusion.diffusivity_cm2_s is not None
        }
        return onsager_matrix(
            dipoles / states[:, None, None],
            tuple(parts),
            states.tolist(),
            trajectory.frame_spacing_fs,
            trajectory.mean_volume,
            trajectory.temperature_k,
            trajectory.reference,
            rates,
            self.confidence,
        )


def _verdict(
    parts: dict[str, SpeciesTransport], charge: Diffusion, checked: Agreement | None, temperature_k: float | None
) -> Verdict:
    """Let the tracers decide; a fault of the charge, or estimators that disagree, make the result weak at most."""
    verdict = Verdict()
    for part in parts.values():
        for reason in part.diffusion.verdict.reasons:
            named = f"{part.name}: {reason}"
            refused = part.diffusion.verdict.quality is Quality.REFUSED
            verdict = verdict.refuse(named) if refused else verdict.weaken(named)
    if verdict.quality is not Quality.REFUSED:
        for reason in charge.verdict.reasons:
            verdict = verdict.weaken(f"charge: {reason}")
        estimate = charge.diffusivity_cm2_s
        if estimate is not None and estimate.relative_variance > LARGE_CHARGE_ERROR**2:
            verdict = verdict.weaken(
                f"charge: D_σ is known to {100 * estimate.relative_variance**0.5:.0f} % only (one walker, whatever the "
                "number of ions); run longer or add replicas"
            )
        if checked is not None:
            for reason in checked.verdict.reasons:
                verdict = verdict.weaken(reason)
    if temperature_k is None:
        verdict = verdict.weaken("the temperature is not known, so there is no conductivity: give it")
    return verdict
