"""What the history shows: which verdicts, which product, from when to when."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from PySide6.QtCore import QDateTime, QSignalBlocker, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QWidget,
)

from inspector.db.history import HistoryFilter
from inspector.pipeline.inspection import Verdict
from inspector.texts import storable
from inspector.ui.theme import Scale
from inspector.ui.widgets import Choice, Moment, label, toggle

ALL_PRODUCTS: Final = "All products"
OWN_RANGE: Final = "From … to …"
IDENTITIES: Final = ("serial", "part", "lot")


def midnight_before(now: datetime) -> datetime:
    """The local midnight that began this day."""
    return now.astimezone().replace(hour=0, minute=0, second=0, microsecond=0)


PRESETS: Final[Mapping[str, Callable[[datetime], datetime | None]]] = {
    "Any time": lambda now: None,
    "Last hour": lambda now: now - timedelta(hours=1),
    "Last 8 hours": lambda now: now - timedelta(hours=8),
    "Today": midnight_before,
    "Last 7 days": lambda now: now - timedelta(days=7),
    "Last 30 days": lambda now: now - timedelta(days=30),
}
"""A name, and where its range begins; it ends now."""


class FilterBar(QWidget):
    """Emits ``changed`` whenever the person asks for other rows, or for the same ones anew.

    ``identity`` and ``wanted_name`` find one part by its name; whoever owns the bar gives them
    their place, a row of its own being more than a small screen has.
    """

    changed = Signal()

    def __init__(self, scale: Scale, clock: Callable[[], datetime]) -> None:
        super().__init__()
        self._clock = clock
        self.verdicts = self._verdict_buttons()
        self.product = Choice()
        self.product.addItem(ALL_PRODUCTS)
        self.range = Choice()
        self.range.addItems([*PRESETS, OWN_RANGE])
        self.since, self.until = self._moment(), self._moment()
        self._own = self._own_range()
        self.refresh = QPushButton("Refresh  Ctrl+R")
        self.refresh.setShortcut("Ctrl+R")
        self.identity = Choice()
        self.identity.addItems([name.capitalize() for name in IDENTITIES])
        self.identity.setAccessibleName("Find by")
        self.wanted_name = QLineEdit()
        self.wanted_name.setObjectName("field")
        self.wanted_name.setFixedWidth(scale.mm(62))
        self.wanted_name.setPlaceholderText("whole name, then Enter")
        self.wanted_name.setClearButtonEnabled(True)
        self.wanted_name.setAccessibleName("Name of the part")
        self._lay_out(scale)
        self._connect()

    def filter(self) -> HistoryFilter:
        """The rows asked for; times are UTC."""
        product = self.product.currentText() if self.product.currentIndex() > 0 else None
        since, until = self._range()
        name = storable(self.wanted_name.text().strip()) or None
        by = IDENTITIES[self.identity.currentIndex()]
        return HistoryFilter(
            verdict=self._verdict(),
            product=product,
            since=since,
            until=until,
            serial=name if by == "serial" else None,
            part=name if by == "part" else None,
            lot=name if by == "lot" else None,
        )

    def offer_products(self, products: Sequence[str]) -> None:
        """Offer the products there are; the one chosen stays chosen."""
        if list(products) == [self.product.itemText(i) for i in range(1, self.product.count())]:
            return
        chosen = self.product.currentText()
        with QSignalBlocker(self.product):
            self.product.clear()
            self.product.addItems([ALL_PRODUCTS, *products])
            self.product.setCurrentIndex(max(0, self.product.findText(chosen)))

    def choose_verdict(self, verdict: Verdict | None) -> None:
        """Press the button of a verdict; None presses "All"."""
        place = 0 if verdict is None else 1 + list(Verdict).index(verdict)
        self.verdicts.button(place).click()

    def _verdict(self) -> Verdict | None:
        place = self.verdicts.checkedId()
        return None if place == 0 else list(Verdict)[place - 1]

    def _range(self) -> tuple[datetime | None, datetime | None]:
        begin = PRESETS.get(self.range.currentText())
        if begin is not None:
            since = begin(self._clock())
            return (None if since is None else since.astimezone(UTC)), None
        return _utc(self.since), _utc(self.until)

    def _verdict_buttons(self) -> QButtonGroup:
        group = QButtonGroup(self)
        for place, word in enumerate(["All", *Verdict]):
            group.addButton(toggle(str(word), checked=place == 0), place)
        return group

    def _moment(self) -> Moment:
        edit = Moment()
        edit.setDateTime(QDateTime.fromSecsSinceEpoch(int(self._clock().timestamp())))
        return edit

    def _own_range(self) -> QWidget:
        self.since.setDateTime(self.since.dateTime().addDays(-1))
        row_of = QWidget()
        row = QHBoxLayout(row_of)
        row.setContentsMargins(0, 0, 0, 0)
        for widget in (self.since, label("to"), self.until):
            row.addWidget(widget)
        row_of.hide()
        return row_of

    def _lay_out(self, scale: Scale) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(scale.mm(1.6))
        for button in self.verdicts.buttons():
            row.addWidget(button)
        row.addSpacing(scale.mm(2))
        for widget in (self.product, self.range, self._own):
            row.addWidget(widget)
        row.addStretch(1)
        row.addWidget(self.refresh)

    def _connect(self) -> None:
        self.verdicts.idClicked.connect(self.changed)
        self.product.currentIndexChanged.connect(self.changed)
        self.range.currentTextChanged.connect(self._range_chosen)
        self.since.dateTimeChanged.connect(self.changed)
        self.until.dateTimeChanged.connect(self.changed)
        self.refresh.clicked.connect(self.changed)
        self.identity.currentIndexChanged.connect(self.changed)
        self.wanted_name.returnPressed.connect(self.changed)
        self.wanted_name.textChanged.connect(self._name_changed)

    def _name_changed(self, text: str) -> None:
        """A name is asked for when it is whole; none at once."""
        if not text:
            self.changed.emit()

    def _range_chosen(self, name: str) -> None:
        self._own.setVisible(name == OWN_RANGE)
        self.changed.emit()


def _utc(edit: Moment) -> datetime:
    return datetime.fromtimestamp(edit.dateTime().toSecsSinceEpoch(), UTC)
