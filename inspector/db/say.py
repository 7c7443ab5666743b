"""What commands say of a database, which somebody may have edited to hold anything."""

import typer


def printable(value: object) -> str:
    """One line of text, of whatever it was: nothing in it moves a terminal's cursor, or is bytes
    that no terminal takes."""
    return "".join(letter if letter.isprintable() else "�" for letter in str(value))


def say(sentence: str) -> None:
    """On standard output."""
    typer.echo(printable(sentence))
