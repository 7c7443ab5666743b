"""Texts from the world, made such that every database, message and file takes them.

A folder's or a device's name may be bytes that are no UTF-8, which Python carries along as lone
surrogates until somebody writes them down and cannot. PostgreSQL refuses NUL as well. So what
comes in is mended where it comes in, once: a record that is refused for its text is a lost record.
"""


def storable(text: str) -> str:
    """The same text; what is no Unicode, and NUL, written out: ``\\udce4``, ``\\x00``."""
    if text.isascii() and "\0" not in text:  # nearly all are; a frame is made anew several times
        return text
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def keep_storable(record: object, *names: str) -> None:
    """For the ``__post_init__`` of a frozen record: mend its texts of these names; None stays."""
    for name in names:
        text = getattr(record, name)
        if text is not None:
            object.__setattr__(record, name, storable(text))
