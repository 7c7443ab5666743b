"""GS1 element strings, as a code holds them: application identifiers and what they say.

GS1 General Specifications, section 7.8: some identifiers have data of a fixed length; data of any
other ends at the separator, character 29, or at the end of the code.
"""

from typing import Final

SEPARATOR: Final = "\x1d"
PART, LOT, SERIAL = "01", "10", "21"
MEANING: Final = {PART: "part", LOT: "lot", SERIAL: "serial"}

_LENGTHS: Final = (
    {"00": 20, "01": 16, "02": 16, "03": 16, "04": 18, "20": 4, "41": 16}
    | {f"1{digit}": 8 for digit in range(1, 10)}
    | {f"3{digit}": 10 for digit in range(1, 7)}
)
"""Of the whole element string, by its first two digits (figure 7.8.5-2)."""


def gs1_fields(text: str) -> dict[str, str]:
    """Part (GTIN), lot and serial among the elements; empty where one of them stands twice
    with different data."""
    told: dict[str, str] = {}
    while text:
        element, text = _first(text)
        name = MEANING.get(element[:2])
        if name is not None and told.setdefault(name, element[2:]) != element[2:]:
            return {}
    return told


def _first(text: str) -> tuple[str, str]:
    """The first element, and what follows it."""
    length = _LENGTHS.get(text[:2])
    if length is None:
        element, _, rest = text.partition(SEPARATOR)
        return element, rest
    return text[:length], text[length:].removeprefix(SEPARATOR)
