"""Specs: YAML files that are checked in full before an hour of work starts on them.

A spec is a frozen pydantic model. An unknown key, a wrong type or an impossible value is a `SpecError` of one line that
names the key, what was found, what was expected and, for a slip of the pen, what was probably meant.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Self, Union, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from mlip_sse.catalogue import resolve
from mlip_sse.errors import CatalogueError, SpecError, did_you_mean

__all__ = ["KINDS", "EntrySpec", "Spec", "SpecKind", "load_spec", "read_yaml", "spec_kind"]

_MAX_BYTES = 4 << 20
_MAX_REPORTED = 3


class Spec(BaseModel):
    """Base of every spec and of every section inside one: frozen, and no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

    @classmethod
    def parse(cls, data: object, source: str = "spec") -> Self:
        """Check plain data against the spec.

        Parameters
        ----------
        data
            What a YAML or JSON file holds: a mapping of plain values.
        source
            Where the data came from, for the message.

        Raises
        ------
        SpecError
            One line: the keys at fault, what was found, what was expected.
        """
        if not isinstance(data, Mapping):
            raise SpecError(f"{source}: found {_shown(data)}, expected a mapping of keys to values")
        try:
            return cls.model_validate(dict(data))
        except ValidationError as error:
            raise SpecError(f"{source}: {_explain(cls, error.errors())}") from error


class EntrySpec(Spec):
    """Base of a spec that a catalogue lists."""

    description: str = Field(min_length=1, description="what this entry is for, in one line", examples=["my own entry"])


@dataclass(frozen=True)
class SpecKind:
    """A kind of spec: its name, its catalogue folder, and its models.

    Parameters
    ----------
    name
        What the command line calls it.
    folder
        The catalogue folder that holds its entries; None where specs of this kind are the user's own files alone.
    models_at
        ``module:attribute`` of a mapping from the value of ``variant_key`` to the model; imported on first use.
    variant_key
        The key whose value says which model applies.
    is_compact
        Whether its template gives each section one line.
    """

    name: str
    folder: str | None
    models_at: str
    variant_key: str
    is_compact: bool = False

    def models(self) -> Mapping[str, type[Spec]]:
        """Return the models by the value of ``variant_key``."""
        module, attribute = self.models_at.split(":")
        models: Mapping[str, type[Spec]] = getattr(import_module(module), attribute)
        return models

    def model(self, variant: object, source: str = "spec") -> type[Spec]:
        """Return the model of one variant.

        Raises
        ------
        SpecError
            When there is no such variant; the message lists those that are.
        """
        models = self.models()
        if not isinstance(variant, str) or variant not in models:
            meant = did_you_mean(variant, models) if isinstance(variant, str) else ""
            found = f"found {_shown(variant)}" if variant is not None else "it is missing"
            raise SpecError(f"{source}: key {self.variant_key!r}: {found}, expected one of {', '.join(models)}{meant}")
        return models[variant]

    def parse(self, data: object, source: str = "spec") -> Spec:
        """Check plain data against the model that its ``variant_key`` names."""
        if not isinstance(data, Mapping):
            raise SpecError(f"{source}: found {_shown(data)}, expected a mapping of keys to values")
        return self.model(data.get(self.variant_key), source).parse(data, source)

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON schema of all variants together."""
        models = tuple(self.models().values())
        if len(models) == 1:
            return models[0].model_json_schema()
        union = Annotated[Union[models], Field(discriminator=self.variant_key)]  # type: ignore[valid-type]  # noqa: UP007
        return TypeAdapter[Any](union).json_schema()


KINDS: Mapping[str, SpecKind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            SpecKind("analysis", "analysis", "mlip_sse.analysis.recipes:RECIPES", "recipe"),
            SpecKind("md_protocol", "md_protocols", "mlip_sse.md_protocols.specs:PROTOCOLS", "protocol"),
            SpecKind(
                "campaign", "md_protocols/campaigns", "mlip_sse.campaign.specs:CAMPAIGNS", "question", is_compact=True
            ),
            SpecKind("potential", "potentials", "mlip_sse.potentials.families:POTENTIALS", "family"),
            SpecKind("reference", None, "mlip_sse.references.specs:REFERENCES", "kind"),
            SpecKind("engine", None, "mlip_sse.engine.specs:ENGINES", "scheduler"),
            SpecKind(
                "properties",
                "analysis/properties",
                "mlip_sse.properties.recipes:PROPERTY_RECIPES",
                "recipe",
                is_compact=True,
            ),
        )
    }
)


def spec_kind(name: str) -> SpecKind:
    """Return the kind called ``name``, by its own name or by its catalogue folder's.

    Raises
    ------
    SpecError
        When there is no such kind; the message lists those that are.
    """
    for kind in KINDS.values():
        if name in (kind.name, kind.folder):
            return kind
    raise SpecError(f"no kind of spec {name!r}, expected one of {', '.join(KINDS)}{did_you_mean(name, KINDS)}")


def load_spec(source: str | Path, kind: str) -> Spec:
    """Load and check a spec.

    Parameters
    ----------
    source
        A catalogue name or a path; a path alone where the kind has no catalogue folder.
    kind
        ``analysis``, ``md_protocol``, ``campaign``, ``potential``, ``reference``, ``engine`` or ``properties``.

    Raises
    ------
    CatalogueError
        When ``source`` is neither an entry nor a path.
    SpecError
        When the file is not YAML, or its content does not fit the spec.
    """
    chosen = spec_kind(kind)
    path = resolve(chosen.folder, source) if chosen.folder is not None else Path(source).expanduser()
    if not path.is_file():
        raise CatalogueError(f"found no file {str(source)!r}, expected the path of a {chosen.name} spec")
    return chosen.parse(read_yaml(path), str(path))


def read_yaml(path: str | Path) -> Any:
    """Read one YAML document into plain data, refusing duplicate keys; ``1e-3`` is a number.

    Raises
    ------
    SpecError
        When the file is not text, not YAML, or longer than a spec ever is.
    """
    path = Path(path)
    if path.stat().st_size > _MAX_BYTES:
        raise SpecError(f"{path}: found {path.stat().st_size} bytes, expected a spec of at most {_MAX_BYTES}")
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_SpecLoader)
    except UnicodeDecodeError as error:
        raise SpecError(f"{path}: found bytes that are not UTF-8 text, expected a YAML file") from error
    except RecursionError as error:
        raise SpecError(f"{path}: nested too deeply, expected a spec of a few levels") from error
    except yaml.YAMLError as error:
        raise SpecError(f"{path}: not YAML: {' '.join(str(error).split())}") from error


class _SpecLoader(yaml.SafeLoader):
    """The safe loader; it also refuses a key given twice, and aliases, with which a short file expands without end."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.constructor.ConstructorError(None, None, "aliases (*name) are not used in specs", None)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            if key_node.value in seen:
                problem = f"the key {key_node.value!r} is given twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            if isinstance(key_node.value, str):
                seen.add(key_node.value)
        return super().construct_mapping(node, deep)


# YAML 1.1 reads 1e-3, which every reader of the field writes, as text.
_SpecLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def _explain(model: type[Spec], problems: Sequence[ErrorDetails]) -> str:
    """Put pydantic's findings into one line."""
    # A misspelt key shows up twice, as unknown and as missing; the unknown one carries the hint, so it goes first.
    ordered = sorted(problems, key=lambda problem: problem["type"] != "extra_forbidden")
    sentences = [_explain_one(model, problem) for problem in ordered[:_MAX_REPORTED]]
    if len(ordered) > _MAX_REPORTED:
        sentences.append(f"and {len(ordered) - _MAX_REPORTED} more")
    return "; ".join(sentences)


def _explain_one(model: type[Spec], problem: ErrorDetails) -> str:
    location = problem["loc"]
    key = _key_path(location)
    if problem["type"] == "extra_forbidden":
        known = _fields_at(model, location[:-1])
        return f"unknown key {key!r}, expected one of {', '.join(known)}{did_you_mean(str(location[-1]), known)}"
    if problem["type"] == "missing":
        return f"missing key {key!r}"
    message = problem["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    expected = re.sub(r"^Input should be (a |an )?", "expected ", message)
    return f"key {key!r}: found {_shown(problem['input'])}, {expected}" if key else expected


def _key_path(location: Sequence[int | str]) -> str:
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in location]
    return "".join(parts).removeprefix(".")


def _fields_at(model: type[Spec], location: Sequence[int | str]) -> list[str]:
    """Return the keys of the (sub)model at a location."""
    for part in location:
        if isinstance(part, str) and part in model.model_fields:
            model = _spec_inside(model.model_fields[part].annotation) or model
    return list(model.model_fields)


def _spec_inside(annotation: Any) -> type[Spec] | None:
    """Return the first spec class in an annotation such as ``tuple[Section, ...] | None``."""
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        return annotation
    return next((found for part in get_args(annotation) if (found := _spec_inside(part))), None)


def _shown(value: object) -> str:
    """Return a value as it may stand in a message of one line."""
    if value is None:
        return "nothing"
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
