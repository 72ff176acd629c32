"""Names that a package offers and imports only when they are asked for, so that importing the package costs nothing."""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

__all__ = ["lazy_names"]


def lazy_names(
    package: str, home: Mapping[str, str], offered: Sequence[str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the ``__getattr__`` and the ``__dir__`` of a package whose names lie in its modules (PEP 562).

    Parameters
    ----------
    package
        Its ``__name__``.
    home
        The module of each name, below the package.
    offered
        Its ``__all__``, which an error and ``dir`` show.
    """

    def find(name: str) -> Any:
        if name in home:
            return getattr(import_module(f"{package}.{home[name]}"), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}; it offers {', '.join(offered)}")

    def names() -> list[str]:
        return sorted([*vars(sys.modules[package]), *offered])

    return find, names
