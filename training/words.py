"""The words of a run, from a YAML file that an engineer edits; every part of it may be left out.

names:                          # what to call a product; else its folder, _ as a space
  gear_m8: steel gear
strict:                         # for every product, {} is its name
  normal: [a flawless {}, a perfect {}]
  abnormal: [a damaged {}, a broken {}]
defects:                        # a product's own, beside the strict ones
  gear_m8: [a bent tooth, rust]
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from engine.types import InputError


def _says_something(phrase: str) -> str:
    if not phrase.strip():
        raise ValueError("a phrase is empty")
    return phrase.strip()


def _names_the_part(phrase: str) -> str:
    if phrase.count("{}") != 1 or "{" in phrase.replace("{}", ""):
        raise ValueError(f"{phrase!r} needs one {{}} where the product's name goes")
    return phrase


Phrase = Annotated[str, AfterValidator(_says_something)]
Pattern = Annotated[Phrase, AfterValidator(_names_the_part)]
Patterns = Annotated[tuple[Pattern, ...], Field(min_length=1)]


class Strict(BaseModel):
    """Words that say nothing of a product but its name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    normal: Patterns = ("a flawless {}", "a perfect {}", "an undamaged {}", "a {} without defect")
    abnormal: Patterns = ("a damaged {}", "a broken {}", "a flawed {}", "a {} with a defect")


class Words(BaseModel):
    """What the file says; a product that it does not name gets the strict words."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    names: Mapping[str, Phrase] = {}
    strict: Strict = Strict()
    defects: Mapping[str, tuple[Phrase, ...]] = {}

    def strangers(self, products: Sequence[str]) -> list[str]:
        """Products that it speaks of, and that are not among those."""
        return sorted({*self.names, *self.defects} - set(products))

    def of(self, product: str) -> dict[str, list[str]]:
        """The phrases of one product, normal and abnormal."""
        name = self.names.get(product, product.replace("_", " "))
        own = [f"a {name} with {defect}" for defect in self.defects.get(product, ())]
        return {
            "normal": _filled(self.strict.normal, name),
            "abnormal": [*_filled(self.strict.abnormal, name), *own],
        }


def read_words(path: Path | None) -> Words:
    """The file's words, or the strict ones for None; :class:`InputError` names what is wrong."""
    if path is None:
        return Words()
    try:
        return Words.model_validate(yaml.safe_load(path.read_text("utf-8")) or {})
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"There are no words to read at {path}: {error}.") from error
    except yaml.YAMLError as error:
        said = " ".join(str(error).split())
        raise InputError(f"{path} is no YAML: {said}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise InputError(f"{path} is not usable: {where}: {first['msg']}.") from error


def _filled(patterns: Sequence[str], name: str) -> list[str]:
    return [pattern.replace("{}", name) for pattern in patterns]
