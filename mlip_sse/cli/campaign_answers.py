"""What a campaign found, as a table for people; one for each question."""

from typing import Any

__all__ = ["answer_text", "probe_text"]


def answer_text(answer: dict[str, Any]) -> str:
    """Return the table of an answer, its verdict and what speaks against it."""
    tables = {"conductivity": _conductivity, "barrier": _barriers, "interface": _interface}
    lines = tables[answer["question"]](answer)
    lines.append(f"{'verdict':>14}: {answer['verdict']}" + "".join(f"\n{'':16}{each}" for each in answer["reasons"]))
    return "\n".join(lines)


def probe_text(probe: dict[str, Any]) -> str:
    """Return what a round's probe found in a few words; nothing where it found no number."""
    if "hops" in probe:
        barriers = [hop["barrier_ev"] for hop in probe["hops"] if hop["barrier_ev"] is not None]
        values = ", ".join(f"{each['value']:.3f}" for each in barriers)
        return f"barriers {values} eV" if barriers else ""
    if "reaction_energy_error_ev_atom" in probe:
        error = probe["reaction_energy_error_ev_atom"]
        return "" if error is None else f"reaction energies off by {1000 * error['value']:.1f} meV/atom"
    energy = probe["activation_energy_ev"]
    return "" if energy is None else f"Ea {_interval(energy)} eV"


def _conductivity(answer: dict[str, Any]) -> list[str]:
    lines = [f"{'T (K)':>8}  {'D (cm²/s)':>34}  {'sigma (mS/cm)':>30}"]
    for row in answer["temperatures"]:
        diffusivity, conductivity = (_interval(row[k]) for k in ("tracer_diffusivity_cm2_s", "conductivity_ms_cm"))
        lines.append(f"{row['temperature_k']:8g}  {diffusivity:>34}  {conductivity:>30}")
    for name, key, unit in (
        ("Ea", "activation_energy_ev", "eV"),
        ("sigma(300 K)", "conductivity_300k_ms_cm", "mS/cm"),
        ("D(300 K)", "diffusivity_300k_cm2_s", "cm²/s"),
    ):
        lines.append(f"{name:>14}: {_interval(answer[key])} {unit}")
    return lines


def _barriers(answer: dict[str, Any]) -> list[str]:
    lines = [f"{'hop (Å)':>8} {'hops':>5}  {'barrier (eV)':>24}  {'back (eV)':>24}  {'reference on the path':>22}"]
    for hop in answer["hops"]:
        forward, back = (_ev(hop[key]) for key in ("barrier_ev", "reverse_barrier_ev"))
        reference = hop["reference_on_path_ev"]
        lines.append(
            f"{hop['distance_a']:8.3f} {hop['n_equivalent']:5d}  {forward:>24}  {back:>24}  "
            f"{'-' if reference is None else f'{reference:.3f}':>22}"
        )
    return lines


def _interface(answer: dict[str, Any]) -> list[str]:
    built = answer["interface"]
    lines = [
        f"{built['formula']}: {built['n_atoms']} atoms, {built['area_a2']:.0f} Å², strained by at most "
        f"{100 * built['max_strain']:.1f} %",
        f"{'T (K)':>8} {'seed':>5}  {'reaction':>26}  {'intact at the end':>24}  {'thickness (Å)':>20}",
    ]
    for each in answer["temperatures"]:
        for run in each["runs"]:
            intact, thickness = (_interval(run.get(key)) for key in ("intact_fraction_end", "interphase_thickness"))
            said = run["reaction"] or "-"
            lines.append(f"{run['temperature_k']:8g} {run['seed']:5d}  {said:>26}  {intact:>24}  {thickness:>20}")
        verb = {True: "it reacts", False: "it does not react", None: "whether it reacts is not resolved"}
        lines.append(
            f"{each['temperature_k']:8g} K: {verb[each['does_react']]}; reaction energy "
            f"{_ev(each['reaction_energy_ev_atom'])} eV by atom of the interface"
        )
    return lines


def _ev(plain: dict[str, Any] | None) -> str:
    return "-" if plain is None else f"{plain['value']:.3f} ({plain['low']:.3f} to {plain['high']:.3f})"


def _interval(plain: dict[str, Any] | None) -> str:
    if plain is None:
        return "not resolved"
    if plain["value"] is None:
        return f"below {plain['high']:.3g}"
    return f"{plain['value']:.3g} ({plain['low']:.3g} to {plain['high']:.3g})"
