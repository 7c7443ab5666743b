"""The history page: filters, the table of records newest first, and one of them in detail.

Every query runs on the background thread. An answer to a question that is no longer asked (the
filter was changed meanwhile) is dropped.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QHeaderView,
    QSplitter,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from inspector.clock import utc_now
from inspector.db.history import MOST_COUNTED, HistoryFilter, Record, Review
from inspector.pipeline.inspection import Verdict
from inspector.ui.background import Background
from inspector.ui.filter_bar import FilterBar
from inspector.ui.history_detail import HistoryDetail
from inspector.ui.history_model import HistoryModel, widths_mm
from inspector.ui.theme import Scale
from inspector.ui.verdict_delegate import VerdictDelegate
from inspector.ui.widgets import label, named

PAGE: Final = 100


class HistorySource(Protocol):
    """What the page asks of the database; :class:`inspector.db.history.History` offers it."""

    def page(
        self, wanted: HistoryFilter, *, before: str | None, limit: int
    ) -> Sequence[Record]: ...

    def counts(self, wanted: HistoryFilter) -> Mapping[Verdict, int]: ...

    def products(self) -> Sequence[str]: ...

    def pictures(self, inspection_id: str) -> Mapping[str, Path]: ...

    def last_review(self, inspection_id: str) -> Review | None: ...


class HistoryView(QWidget):
    """Asks again each time it comes into view; ``pictures`` is the folder of the database."""

    def __init__(
        self,
        history: HistorySource,
        pictures: Path,
        scale: Scale,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        super().__init__()
        named(self, "page")
        self._history = history
        self._background = Background(self)
        self._wanted = HistoryFilter()
        self._question = 0
        self.filters = FilterBar(scale, clock)
        self.summary = label(role="strong")
        self.model = HistoryModel(self._ask_page, PAGE, self)
        self.table = self._table(scale)
        self.detail = HistoryDetail(
            pictures, history.pictures, history.last_review, self._background, scale
        )
        self._lay_out(scale)
        self.filters.changed.connect(self.refresh)
        self.table.selectionModel().currentRowChanged.connect(self._row_chosen)

    def refresh(self) -> None:
        """Ask for what the filters say, from the newest record on."""
        self._wanted = self.filters.filter()
        self._question += 1
        self.detail.show_row(None)
        self.summary.clear()
        self.model.reset()
        self._run(self._history.products, self.filters.offer_products)

    def close_background(self) -> None:
        """Let the query in hand end, ask nothing more."""
        self._background.close()

    def showEvent(self, event: QShowEvent) -> None:
        self.refresh()

    def _ask_page(self, before: str | None) -> None:
        wanted, source = self._wanted, self._history
        then = self.model.add if before is not None else self._add_first
        self._run(lambda: source.page(wanted, before=before, limit=PAGE), then)

    def _add_first(self, records: Sequence[Record]) -> None:
        """The parts first: to count those of a year takes a second."""
        wanted, source = self._wanted, self._history
        self.model.add(records)
        self._run(lambda: source.counts(wanted), self._show_counts)

    def _run(self, work: Callable[[], object], then: Callable[..., None]) -> None:
        asked = self._question

        def deliver(result: object) -> None:
            if asked == self._question:
                then(result)

        self._background.run(work, deliver, partial(self._failed, asked))

    def _failed(self, asked: int, sentence: str) -> None:
        if asked == self._question:
            self.model.give_up()
            self.summary.setText(sentence)

    def _show_counts(self, counts: Mapping[Verdict, int]) -> None:
        parts = "   ".join(f"{counts[verdict]:,} {verdict}" for verdict in Verdict)
        total = sum(counts.values())
        newest = "The newest " if total == MOST_COUNTED and self._wanted.names else ""
        self.summary.setText(f"{newest}{total:,} parts:   {parts}")

    def _row_chosen(self, current: QModelIndex) -> None:
        self.detail.show_row(self.model.row(current.row()) if current.isValid() else None)

    def _table(self, scale: Scale) -> QTableView:
        table = QTableView()
        table.setAlternatingRowColors(True)
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.setModel(self.model)
        table.setSelectionBehavior(QTableView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QTableView.SelectionMode.SingleSelection)
        table.setVerticalScrollMode(QTableView.ScrollMode.ScrollPerPixel)
        table.setItemDelegateForColumn(0, VerdictDelegate(scale, table))
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(scale.touch)
        head = table.horizontalHeader()
        head.setHighlightSections(False)
        head.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        head.setStretchLastSection(True)
        for column, width in enumerate(widths_mm()):
            table.setColumnWidth(column, scale.mm(width))
        return table

    def _lay_out(self, scale: Scale) -> None:
        column = QVBoxLayout(self)
        gap = scale.mm(2)
        column.setContentsMargins(gap, gap, gap, gap)
        column.setSpacing(gap)
        column.addWidget(self.filters)
        found = QHBoxLayout()
        found.setSpacing(scale.mm(1.6))
        found.addWidget(self.summary, stretch=1)
        for widget in (self.filters.identity, self.filters.wanted_name):
            found.addWidget(widget)
        column.addLayout(found)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.setChildrenCollapsible(False)
        split.setHandleWidth(gap)
        split.addWidget(self.table)
        split.addWidget(self.detail)
        split.setSizes([600, 400])
        column.addWidget(split, stretch=1)
