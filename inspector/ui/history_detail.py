"""One record of the history, large: its pictures and what the row says."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
)

from inspector.db.history import Record, Review
from inspector.ui.background import Background
from inspector.ui.picture_view import PictureView, Shown
from inspector.ui.theme import Scale
from inspector.ui.widgets import label, toggle
from inspector.ui.words import alarm_in_words, date_time, number, reason_in_words

NOTHING_CHOSEN: Final = "Choose a row to see its part."
NO_PICTURE: Final = "No picture of this part was kept."
PICTURES: Final = ("overlay", "picture", "crop")


class HistoryDetail(QFrame):
    """Shows one row; pictures are read on the background thread, ``folder`` is the database's.

    ``pictures_now`` is asked there for an inspection's paths where one of the row's leads nowhere,
    ``last_review`` for what a person said of it since.
    """

    def __init__(
        self,
        folder: Path,
        pictures_now: Callable[[str], Mapping[str, Path]],
        last_review: Callable[[str], Review | None],
        background: Background,
        scale: Scale,
    ) -> None:
        super().__init__()
        self.setObjectName("panel")
        self._folder, self._background = folder, background
        self._pictures_now, self._last_review = pictures_now, last_review
        self._row: Record | None = None
        self.picture = PictureView(scale)
        self.picture.set_opacity(1.0)
        self._kinds = QButtonGroup(self)
        self._facts = QGridLayout()
        self._values: dict[str, QLabel] = {}
        self._lay_out(scale)
        self.show_row(None)

    def text(self, fact: str) -> str:
        """What stands beside one fact's name."""
        return self._values[fact].text()

    def show_row(self, row: Record | None) -> None:
        """Show this row with its overlay, or the best picture it has; None for no choice."""
        self._row = row
        self._show_facts({} if row is None else _facts(row))
        if row is not None:
            self._read_review(row)
        files = {} if row is None else _files(row)
        for button in self._kinds.buttons():
            button.setEnabled(_kind(button) in files)
        if row is None or not files:
            self.picture.show_picture(Shown(sentence=NO_PICTURE if row else NOTHING_CHOSEN))
            return
        first = next(iter(files))
        next(b for b in self._kinds.buttons() if _kind(b) == first).setChecked(True)
        self._read(row, first)

    def _turn_to(self, button: QPushButton) -> None:
        if self._row is not None:
            self._read(self._row, _kind(button))

    def _read(self, row: Record, kind: str) -> None:
        file = row.pictures[kind]

        def read() -> QImage:
            image = QImage(str(self._folder / file))
            if image.isNull():  # it may have another name since the row was read
                now = self._pictures_now(row.id).get(kind, file)
                image = QImage(str(self._folder / now))
            return image

        def show(image: QImage) -> None:
            if self._row is row:  # a slow disk answers for a row no longer chosen
                self.picture.show_picture(_shown(image, file))

        self._background.run(read, show, self._say)

    def _read_review(self, row: Record) -> None:
        def show(said: Review | None) -> None:
            if self._row is row and said is not None:
                self._values["Review"].setText(_review(said))

        def failed(sentence: str) -> None:
            if self._row is row:
                self._values["Review"].setText(sentence)

        self._background.run(lambda: self._last_review(row.id), show, failed)

    def _say(self, sentence: str) -> None:
        self.picture.show_picture(Shown(sentence=sentence))

    def _show_facts(self, facts: Mapping[str, str]) -> None:
        for name, value in self._values.items():
            value.setText(facts.get(name, "–"))

    def _lay_out(self, scale: Scale) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(1, 1, 1, scale.mm(2))
        column.setSpacing(scale.mm(1.6))
        column.addWidget(self.picture, stretch=1)
        column.addLayout(self._kind_buttons(scale))
        self._facts.setContentsMargins(scale.mm(3), 0, scale.mm(3), 0)
        self._facts.setHorizontalSpacing(scale.mm(4))
        self._facts.setVerticalSpacing(scale.mm(0.8))
        self._facts.setColumnStretch(1, 1)
        for place, name in enumerate(FACTS):
            value = label(wrap=True)
            value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            self._values[name] = value
            self._facts.addWidget(label(name, role="soft"), place, 0)
            self._facts.addWidget(value, place, 1)
        column.addLayout(self._facts)

    def _kind_buttons(self, scale: Scale) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setContentsMargins(scale.mm(2), 0, scale.mm(2), 0)
        row.setSpacing(scale.mm(1.6))
        for name in PICTURES:
            button = toggle(name.capitalize())
            button.setProperty("kind", name)
            self._kinds.addButton(button)
            row.addWidget(button, stretch=1)
        self._kinds.buttonClicked.connect(self._turn_to)
        return row


FACTS: Final = (
    "Verdict",
    "Why",
    "Review",
    "Time",
    "Product",
    "Part",
    "Score",
    "Defects",
    "Latency",
    "Source",
    "Alarm",
    "ID",
)


def _facts(row: Record) -> dict[str, str]:
    return {
        "Verdict": row.verdict.value,
        "Why": reason_in_words(row.reason) or "No defect found",
        "Time": date_time(row.inspected_at),
        "Product": row.product or "–",
        "Part": _identity(row),
        "Score": f"{number(row.score)}   limit {number(row.threshold)}",
        "Defects": _defects(row),
        "Latency": f"{sum(row.stages_ms.values()):.0f} ms",
        "Source": f"frame {row.frame_id}  {row.source}",
        "Alarm": alarm_in_words(row.alarm) or "–",
        "ID": row.id,
    }


def _identity(row: Record) -> str:
    """What the part is called, as far as anybody said."""
    said = {"part": row.part, "lot": row.lot, "serial": row.serial}
    return "   ".join(f"{name} {value}" for name, value in said.items() if value) or "–"


def _review(said: Review) -> str:
    note = f": {said.comment}" if said.comment else ""
    return f"{said.verdict} by {said.who}, {date_time(said.at)}{note}"


def _defects(row: Record) -> str:
    if not row.regions:
        return "–"
    largest = max(region.area_px for region in row.regions)
    return f"{len(row.regions)}, the largest {largest:,} px"


def _files(row: Record) -> dict[str, Path]:
    """The row's pictures in the order a person wants them."""
    return {name: row.pictures[name] for name in PICTURES if name in row.pictures}


def _kind(button: object) -> str:
    return str(button.property("kind"))  # type: ignore[attr-defined]


def _shown(image: QImage, path: Path) -> Shown:
    if image.isNull():
        return Shown(sentence=f"The picture {path.name} is no longer on the disk.")
    return Shown(image)
