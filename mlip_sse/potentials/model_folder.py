"""The folder of a fitted potential: recipe, model files and card, put in place at once and checked when read.

```
potential.yaml   the recipe, complete: the same command fits the same potential again
card.json        errors, gates, domain, and the sha256 of every model file
...              the model files of the family
```
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import yaml

from mlip_sse.errors import FormatError, InputError
from mlip_sse.potentials.contract import CARD_FILE, RECIPE_FILE, Card
from mlip_sse.potentials.whole_folder import folder_put_in_place
from mlip_sse.provenance import sha256_of_file
from mlip_sse.specs import Spec

__all__ = ["read_model_folder", "write_model_folder"]


def write_model_folder(folder: str | Path, recipe: Spec, card: Card, files: Mapping[str, bytes]) -> Card:
    """Write a potential whole or not at all; a potential that is there is replaced, any other folder refused.

    Parameters
    ----------
    folder
        Where it goes.
    recipe
        Written as ``potential.yaml``.
    card
        Its ``sha256`` is made here.
    files
        Content of each model file by its name.

    Returns
    -------
    Card
        The card as written.

    Raises
    ------
    InputError
        When ``folder`` holds something that is not a potential.
    """
    folder = Path(folder)
    if folder.exists() and not (folder.is_dir() and (not any(folder.iterdir()) or (folder / RECIPE_FILE).is_file())):
        raise InputError(f"{folder}: found other files, expected a potential, an empty folder or none")
    with folder_put_in_place(folder) as partial:
        for name, content in files.items():
            (partial / name).write_bytes(content)
        card = replace(card, sha256={name: sha256_of_file(partial / name) for name in sorted(files)})
        plain = recipe.model_dump(mode="json", exclude_none=True)
        text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=120)
        (partial / RECIPE_FILE).write_text(text, encoding="utf-8")
        (partial / CARD_FILE).write_text(
            json.dumps(card.to_dict(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )
    return card


def read_model_folder(recipe_path: Path, names: tuple[str, ...]) -> tuple[Card, dict[str, Path]]:
    """Return the card beside a recipe and the paths of its model files, each checked against the card.

    Parameters
    ----------
    recipe_path
        The recipe, ``potential.yaml``.
    names
        The model files that the family needs.

    Raises
    ------
    FormatError
        When the recipe was never fitted, a file is missing, or its content is not what the card says.
    """
    folder = recipe_path.resolve().parent
    if not (folder / CARD_FILE).is_file():
        raise FormatError(
            f"{recipe_path}: found a recipe without fitted files, expected {CARD_FILE} beside it: fit it with "
            f"mlip-sse fit {recipe_path} --out FOLDER"
        )
    card = Card.read(folder / CARD_FILE)
    paths = {name: folder / name for name in names}
    for name, path in paths.items():
        wanted = card.sha256.get(name)
        if not path.is_file() or wanted is None:
            raise FormatError(f"{path}: found no such file on disk and card, expected one: fit the recipe again")
        found = sha256_of_file(path)
        if found != wanted:
            raise FormatError(
                f"{path}: found sha256 {found[:12]}…, its card says {wanted[:12]}…: the file was changed; restore it"
            )
    return card, paths
