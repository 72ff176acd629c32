"""A commented YAML template for every kind of spec, generated from the descriptions of its fields.

The template is valid as it stands: a required key carries an example, an optional one its default.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic.fields import FieldInfo

from mlip_sse.specs import Spec, spec_kind

__all__ = ["spec_template"]

_WIDTH = 110
_SIGNS = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤", "min_length": "length ≥", "max_length": "length ≤"}


def spec_template(kind: str, variant: str | None = None) -> str:
    """Return a commented YAML spec to fill in.

    Parameters
    ----------
    kind
        ``analysis``, ``md_protocol``, ``campaign``, ``potential``, ``reference`` or ``engine``.
    variant
        The recipe, protocol, family or kind of reference; the first one where it is not given.

    Raises
    ------
    SpecError
        When there is no such kind or variant.
    """
    chosen = spec_kind(kind)
    models = chosen.models()
    name = variant if variant is not None else next(iter(models))
    model = chosen.model(name)
    head = [f"# {chosen.name}: {_first_line(model)}"]
    others = [other for other in models if other != name]
    if others:
        head.append(f"# Other templates: {', '.join(f'mlip-sse template {chosen.name} {other}' for other in others)}")
    body = _section(model, indent=0, fixed={chosen.variant_key: name}, is_compact=chosen.is_compact)
    return "\n".join([*head, "", *body]) + "\n"


def _section(model: type[Spec], indent: int, fixed: Mapping[str, object], is_compact: bool = False) -> list[str]:
    lines = []
    first = {"description", *fixed} if indent == 0 else set()
    for name, field in sorted(model.model_fields.items(), key=lambda item: item[0] not in first):
        lines += [f"{' ' * indent}# {line}" for line in _comment(field)]
        section = None if is_compact else _nested(field)
        if section is not None:
            lines += [f"{' ' * indent}{name}:", *_section(section, indent + 2, _section_values(field))]
            continue
        value = fixed[name] if name in fixed else _value(name, field)
        if value is None:
            lines.append(f"{' ' * indent}# {name}: {_inline(_example(name, field))}")
        else:
            lines.append(f"{' ' * indent}{name}: {_inline(value)}")
    return lines


def _nested(field: FieldInfo) -> type[Spec] | None:
    """Return the section's model where the field is one section that is always there."""
    annotation = field.annotation
    return annotation if isinstance(annotation, type) and issubclass(annotation, Spec) else None


def _section_values(field: FieldInfo) -> Mapping[str, object]:
    """Return what stands in a section: its default, or the example of a required one as far as it goes."""
    if field.is_required():
        return dict(field.examples[0]) if field.examples else {}
    values = _plain(field.get_default(call_default_factory=True))
    return values if isinstance(values, Mapping) else {}


def _value(name: str, field: FieldInfo) -> object:
    if field.is_required():
        return _example(name, field)
    return _plain(field.get_default(call_default_factory=True))


def _example(name: str, field: FieldInfo) -> object:
    if field.examples:
        return _plain(field.examples[0])
    choices = _choices(field.annotation)
    if choices:
        return choices[0]
    raise TypeError(f"field {name!r} needs examples=[...], so that a template can be written")


def _plain(value: object) -> object:
    if isinstance(value, Spec):
        return value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple | list | frozenset | set):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _comment(field: FieldInfo) -> list[str]:
    parts = [field.description or ""]
    choices = _choices(field.annotation)
    if len(choices) > 1:
        parts.append(f"one of {', '.join(choices)}")
    limits = [f"{sign} {value}" for key, sign in _SIGNS.items() if (value := _limit(field, key)) is not None]
    if limits:
        parts.append(", ".join(limits))
    parts.append("required" if field.is_required() else "optional")
    return _wrapped("; ".join(part for part in parts if part))


def _limit(field: FieldInfo, key: str) -> object:
    return next((value for item in field.metadata if (value := getattr(item, key, None)) is not None), None)


def _choices(annotation: Any) -> list[str]:
    if get_origin(annotation) is Literal:
        return [str(choice) for choice in get_args(annotation)]
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return [str(member.value) for member in annotation]
    return next((found for part in get_args(annotation) if (found := _choices(part))), [])


def _inline(value: object) -> str:
    """Return a value as YAML on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=True, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")


def _wrapped(text: str) -> list[str]:
    from textwrap import wrap

    return wrap(text, _WIDTH)


def _first_line(model: type[Spec]) -> str:
    return (model.__doc__ or model.__name__).strip().splitlines()[0]
