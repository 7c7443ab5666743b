"""How a camera's address is shown and recorded."""


def without_password(source: str) -> str:
    """What stands before an @ in an address is for the camera alone."""
    scheme, there, rest = source.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if there else source
