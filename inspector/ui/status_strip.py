"""The foot of the window: the state, then each part of it. Grey while well, loud when not."""

from collections.abc import Mapping, Sequence
from typing import Final

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from inspector.ui import theme
from inspector.ui.marks import Mark
from inspector.ui.session import Health, StatusItem
from inspector.ui.theme import Scale
from inspector.ui.widgets import Elided, Shape, label, named

SHORT_MM: Final = 24.0  # a text of so much is never cut; a longer one gives way to the others
_MARKS: Final[Mapping[Health, tuple[Mark, theme.Tone]]] = {
    Health.GOOD: (Mark.TICK, theme.QUIET),
    Health.UNKNOWN: (Mark.WAITING, theme.QUIET),
    Health.WARNING: (Mark.WARNING, theme.CAUTION),
    Health.BAD: (Mark.CROSS, theme.ALARM),
}


class StatusStrip(QWidget):
    """One cell an item, made anew only when the items themselves change."""

    def __init__(self, scale: Scale) -> None:
        super().__init__()
        named(self, "strip")
        self._scale = scale
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(scale.mm(2), 0, scale.mm(2), 0)
        self._row.setSpacing(scale.mm(1))
        self._cells: dict[str, _Cell] = {}
        self.setMinimumHeight(scale.mm(10))

    def show_items(self, items: Sequence[StatusItem]) -> None:
        """Show these items, in this order."""
        if [item.name for item in items] != list(self._cells):
            self._make_cells(items)
        for item in items:
            self._cells[item.name].show_item(item)

    @property
    def names(self) -> list[str]:
        return list(self._cells)

    def text(self, name: str) -> str:
        """What the cell of this name shows."""
        item = self._cells[name].item
        return item.text if item else ""

    def health(self, name: str) -> Health:
        """How well the item of this name is."""
        item = self._cells[name].item
        return item.health if item else Health.UNKNOWN

    def _make_cells(self, items: Sequence[StatusItem]) -> None:
        for cell in self._cells.values():
            self._row.removeWidget(cell)
            cell.deleteLater()
        self._cells = {item.name: _Cell(self._scale) for item in items}
        for cell in self._cells.values():
            self._row.addWidget(cell)


class _Cell(QWidget):
    def __init__(self, scale: Scale) -> None:
        super().__init__()
        named(self, "cell")
        row = QHBoxLayout(self)
        row.setContentsMargins(scale.mm(2), scale.mm(1), scale.mm(2), scale.mm(1))
        row.setSpacing(scale.mm(1.6))
        self._shape = Shape(Mark.WAITING, scale.mm(5), theme.INK_SOFT)
        self._name, self._text = label(role="strong"), Elided(scale.mm(SHORT_MM))
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(self._name)
        words.addWidget(self._text)
        row.addWidget(self._shape)
        row.addLayout(words, stretch=1)
        self.item: StatusItem | None = None

    def show_item(self, item: StatusItem) -> None:
        if item == self.item:
            return
        self.item = item
        mark, tone = _MARKS[item.health]
        self._shape.show_mark(mark, tone.ink)
        self._name.setText(item.name)
        self._text.show_text(item.text, tone.ink)
        self.setToolTip(f"{item.name}: {item.text}\n{item.detail}".strip())
        self.setAccessibleName(f"{item.name}: {item.text}, {item.health.value}")
        ground = "transparent" if tone is theme.QUIET else tone.ground
        self.setStyleSheet(
            f"QWidget#cell {{ background: {ground}; }} QLabel {{ color: {tone.ink}; }}"
        )
