"""The history as a table that Qt can ask, filled page by page as a person scrolls."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from inspector.db.history import Record
from inspector.pipeline.inspection import Verdict
from inspector.ui.words import date_time, number, reason_in_words

Index = QModelIndex | QPersistentModelIndex
Ask = Callable[[str | None], None]
"""Asks for the page after the record of this id; None asks for the first."""

_ROLE = Qt.ItemDataRole
VERDICT_ROLE: Final = _ROLE.UserRole
"""The verdict of a cell's row, for the delegate that draws its shape."""


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    width_mm: float
    text: Callable[[Record], str]
    side: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignLeft


_RIGHT = Qt.AlignmentFlag.AlignRight
_COLUMNS: Final = (
    _Column("Verdict", 28, lambda row: row.verdict.value),
    _Column("Time", 49, lambda row: date_time(row.inspected_at)),
    _Column("Product", 22, lambda row: row.product or "–"),
    _Column("Score", 21, lambda row: number(row.score), _RIGHT),
    _Column("Limit", 21, lambda row: number(row.threshold), _RIGHT),
    _Column("Reason", 20, lambda row: reason_in_words(row.reason)),
)


class HistoryModel(QAbstractTableModel):
    """Rows newest first; ``page`` of them are asked for at a time."""

    def __init__(self, ask: Ask, page: int, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._ask, self._page = ask, page
        self._rows: list[Record] = []
        self._loading = False
        self._complete = False

    def reset(self) -> None:
        """Forget everything and ask for the first page."""
        self.beginResetModel()
        self._rows, self._complete, self._loading = [], False, True
        self.endResetModel()
        self._ask(None)

    def add(self, rows: Sequence[Record]) -> None:
        """Take one page; a short one is the last."""
        self._loading = False
        self._complete = len(rows) < self._page
        if rows:
            first = len(self._rows)
            self.beginInsertRows(QModelIndex(), first, first + len(rows) - 1)
            self._rows.extend(rows)
            self.endInsertRows()

    def give_up(self) -> None:
        """The page could not be had: ask no more until the next :meth:`reset`."""
        self._loading, self._complete = False, True

    def row(self, place: int) -> Record:
        return self._rows[place]

    def canFetchMore(self, parent: Index) -> bool:
        return not (parent.isValid() or self._loading or self._complete)

    def fetchMore(self, parent: Index) -> None:
        if self.canFetchMore(parent):
            self._loading = True
            self._ask(self._rows[-1].id if self._rows else None)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's own signature)
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(_COLUMNS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = _ROLE.DisplayRole
    ) -> Any:
        if orientation is not Qt.Orientation.Horizontal:
            return None
        column = _COLUMNS[section]
        if role == _ROLE.TextAlignmentRole:
            return column.side | Qt.AlignmentFlag.AlignVCenter
        return column.name if role == _ROLE.DisplayRole else None

    def data(self, index: Index, role: int = _ROLE.DisplayRole) -> Any:
        row, column = self._rows[index.row()], _COLUMNS[index.column()]
        if role in (_ROLE.DisplayRole, _ROLE.ToolTipRole):
            return column.text(row)
        if role == _ROLE.TextAlignmentRole:
            return column.side | Qt.AlignmentFlag.AlignVCenter
        if role == VERDICT_ROLE:
            return row.verdict.value
        return None


def widths_mm() -> list[float]:
    """How wide each column starts out."""
    return [column.width_mm for column in _COLUMNS]


def verdict_of(index: Index) -> Verdict:
    """The verdict of a cell's row."""
    return Verdict(index.data(VERDICT_ROLE))
