"""How labels were made: method, functional, cutoff, k-spacing, pseudopotentials, code version; only alike may mix."""

import hashlib
import json
from collections.abc import Iterable
from typing import Literal, Self

from pydantic import Field

from mlip_sse.errors import InputError
from mlip_sse.specs import Spec

__all__ = ["Fingerprint"]

_SHORT = 12


class Fingerprint(Spec):
    """What must be the same for two labels to belong into one dataset.

    A fingerprint may know more elements than a frame has; the frame's own is `restricted_to` its elements, so that
    labels of Li₂S and of Li₃PS₄ made with one set of pseudopotentials agree.
    """

    method: Literal["dft", "surrogate", "calculator", "declared"] = Field(
        description="dft; surrogate for a universal potential; calculator for any other; declared by the user alone"
    )
    code: str = Field(min_length=1, max_length=200, description="the program, such as vasp, or the user's own words")
    code_version: str | None = Field(None, description="version of the program")
    functional: str | None = Field(None, description="exchange-correlation functional, with +U or dispersion")
    model: str | None = Field(None, description="name of a surrogate's model")
    cutoff_ev: float | None = Field(None, gt=0, description="plane-wave or grid cutoff in eV")
    k_spacing_inv_a: float | None = Field(None, gt=0, description="largest spacing of k-points in 1/Å, 2π included")
    pseudopotentials: dict[str, str] = Field(default_factory=dict, description="name of each element's pseudopotential")
    settings: dict[str, str | float | int | bool | None] = Field(
        default_factory=dict, description="whatever else changes the numbers: spin, smearing, convergence, keywords"
    )

    @classmethod
    def declared(cls, statement: str) -> Self:
        """Return a fingerprint that is the user's word, for files that say nothing of how they were made."""
        words = " ".join(statement.split())
        if not words:
            raise InputError("found an empty fingerprint, expected words such as 'PBE, VASP 6.4, 520 eV, 0.25 1/Å'")
        return cls(method="declared", code=words)

    @property
    def digest(self) -> str:
        """The first 12 hexadecimal digits of the sha256 of the canonical JSON."""
        text = json.dumps(self.model_dump(mode="json", exclude_none=True), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:_SHORT]

    def restricted_to(self, elements: Iterable[str]) -> Self:
        """Return the fingerprint of a frame that holds ``elements``."""
        wanted = set(elements)
        if wanted.issuperset(self.pseudopotentials):
            return self
        kept = {element: name for element, name in sorted(self.pseudopotentials.items()) if element in wanted}
        return self.model_copy(update={"pseudopotentials": kept})

    def difference(self, other: "Fingerprint") -> str:
        """Say in which fields two fingerprints contradict each other; empty where they may stand in one dataset."""
        parts = []
        for name in type(self).model_fields:
            mine, theirs = getattr(self, name), getattr(other, name)
            if name == "pseudopotentials":
                common = mine.keys() & theirs.keys()
                mine, theirs = ({key: names[key] for key in sorted(common)} for names in (mine, theirs))
            if mine != theirs:
                parts.append(f"{name} {_shown(mine)} and {_shown(theirs)}")
        return ", ".join(parts)

    def merged(self, other: "Fingerprint") -> Self:
        """Return the fingerprint of both, with the pseudopotentials of all their elements.

        Raises
        ------
        InputError
            When they contradict each other.
        """
        if difference := self.difference(other):
            raise InputError(f"found labels made in two ways ({difference}), expected one fingerprint")
        names = {**self.pseudopotentials, **other.pseudopotentials}
        return self.model_copy(update={"pseudopotentials": dict(sorted(names.items()))})

    def describe(self) -> str:
        """Return the fingerprint in one line for a reader; a surrogate is called one."""
        head = {"surrogate": "surrogate ", "declared": "declared: "}.get(self.method, "")
        parts = [f"{head}{self.code}" + (f" {self.code_version}" if self.code_version else "")]
        parts += [text for text in (self.model, self.functional) if text]
        if self.cutoff_ev:
            parts.append(f"{self.cutoff_ev:g} eV")
        if self.k_spacing_inv_a:
            parts.append(f"k-spacing {self.k_spacing_inv_a:g} 1/Å")
        return ", ".join(parts)


def _shown(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 40 else f"{text[:37]}..."
