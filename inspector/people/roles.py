"""Who may do what: one table, and nothing else that knows."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from engine.types import AccessError


class Role(StrEnum):
    """Each role may do what the one before may, and more."""

    OPERATOR = "operator"
    ENGINEER = "engineer"
    ADMINISTRATOR = "administrator"


class Permission(StrEnum):
    """What a person may be allowed to do."""

    RUN = "run the station"
    STOP = "stop the station"
    ACKNOWLEDGE = "acknowledge an error"
    REVIEW = "review parts"
    CHANGE_THRESHOLD = "change a threshold"
    CHANGE_RECIPE = "change the recipe"
    CHANGE_PLAN = "change the plan"
    CHANGE_CAMERA = "change the camera's settings"
    APPROVE_GOLDEN = "approve golden references"
    SEND_AGAIN = "send refused records again"
    MANAGE_PEOPLE = "manage people"
    RESTORE_DATABASE = "restore the database"


_OPERATOR: Final = frozenset(
    {Permission.RUN, Permission.STOP, Permission.ACKNOWLEDGE, Permission.REVIEW}
)
_ENGINEER: Final = _OPERATOR | {
    Permission.CHANGE_THRESHOLD,
    Permission.CHANGE_RECIPE,
    Permission.CHANGE_PLAN,
    Permission.CHANGE_CAMERA,
    Permission.APPROVE_GOLDEN,
    Permission.SEND_AGAIN,
}
_ADMINISTRATOR: Final = _ENGINEER | {Permission.MANAGE_PEOPLE, Permission.RESTORE_DATABASE}

ALLOWED: Final[Mapping[Role, frozenset[Permission]]] = MappingProxyType(
    {
        Role.OPERATOR: _OPERATOR,
        Role.ENGINEER: _ENGINEER,
        Role.ADMINISTRATOR: _ADMINISTRATOR,
    }
)


UNNAMED: Final = "operator"
"""Who acts at a station that has no accounts."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who logged in."""

    name: str
    role: Role


def require(person: Person, permission: Permission) -> None:
    """:class:`AccessError` unless the person's role holds the permission."""
    if permission not in ALLOWED[person.role]:
        least = next(role for role in Role if permission in ALLOWED[role])
        raise AccessError(
            f"{person.name} is {person.role} and may not {permission}: "
            f"ask somebody who is {least} or more."
        )
