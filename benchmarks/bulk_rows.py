"""Millions of inspections through the schema, without the commits: a year of a busy station.

Used by benchmarks/history.py. SQLite makes the rows itself, from their number alone, so that two
databases of one size are alike. Indexes are taken off and made again from the database's own
declarations; all CHECKs hold.
"""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from inspector.db.log import InspectionLog, RunInfo

BEGAN = datetime(2025, 11, 1, tzinfo=UTC)
LASTS = timedelta(days=365)
PRODUCTS = ("bracket", "gear", "label", "seal")

SETTINGS = ("journal_mode = OFF", "synchronous = OFF", "cache_size = -1000000")

NUMBERS = """
CREATE TEMP VIEW part AS
WITH RECURSIVE counted(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM counted WHERE n + 1 < {rows})
SELECT n, {began} + n * {step} AS at,
    ((n * 2654435761) & 4294967295) >> 12 AS dice,
    ((n * 2246822519) & 4294967295) >> 13 AS coin
FROM counted
"""
INSPECTIONS = """
INSERT INTO inspection (id, run_id, sequence, frame_id, lost_before, source, product, part, lot,
    serial, verdict, reason, alarm, score, threshold, map_threshold, grabbed_at, inspected_at,
    stages_ms, overlay, crop, picture)
SELECT printf('%08x-%04x-7%03x-8%03x-%012x', ms >> 16, ms & 65535, n % 4096, n / 4096 % 4096, n),
    '{run}', n + 1, n, 0, '', product, product, printf('L%05d', n / 5000), printf('S%09d', n),
    verdict,
    CASE verdict WHEN 'NG' THEN 'defect' WHEN 'FAULT' THEN
        CASE dice / 1000 % 4 WHEN 0 THEN 'no_frame' WHEN 1 THEN 'lost_frame'
        WHEN 2 THEN 'late_result' ELSE 'black_frame' END END,
    CASE WHEN n % 99991 = 0 THEN 'picture_not_saved' END,
    CASE verdict WHEN 'FAULT' THEN NULL ELSE coin / 524288.0 END, 0.5, 0.5, moment, moment,
    printf('{{"grab": %.3f, "check": 0.412, "pre": 1.873, "infer": %.3f, "post": 0.911}}',
        coin / 1e5, 20 + dice / 1e5),
    CASE WHEN verdict <> 'OK' THEN printf('pictures/%.10s/%012d-overlay.png', moment, n) END,
    CASE WHEN verdict = 'NG' THEN printf('pictures/%.10s/%012d-crop.png', moment, n) END,
    CASE WHEN verdict <> 'OK' THEN printf('pictures/%.10s/%012d.png', moment, n) END
FROM (
    SELECT n, coin, dice, CAST(at * 1000 AS INTEGER) AS ms,
        CASE coin % 4 WHEN 0 THEN 'bracket' WHEN 1 THEN 'gear' WHEN 2 THEN 'label' ELSE 'seal' END
            AS product,
        CASE WHEN dice % 1000 < 20 THEN 'NG' WHEN dice % 1000 < 22 THEN 'FAULT' ELSE 'OK' END
            AS verdict,
        strftime('%Y-%m-%d %H:%M:%f000', at, 'unixepoch') AS moment
    FROM part
)
"""
DEFECTS = """
INSERT INTO defect (inspection_id, rank, x, y, width, height, area_px, peak, contour)
SELECT id, rank, 100, 120, 40, 12, 310, 0.93, '[[100, 120], [140, 120], [140, 132], [100, 132]]'
FROM inspection JOIN (SELECT 0 AS rank UNION SELECT 1 UNION SELECT 2) ON rank <= sequence % 3
WHERE verdict = 'NG'
"""


def fill(path: Path, rows: int, run: RunInfo) -> None:
    """Make the database and ``rows`` inspections of one long run."""
    with InspectionLog(path, run, clock=lambda: BEGAN):
        pass
    step = LASTS.total_seconds() / rows
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for setting in SETTINGS:
            connection.execute(f"PRAGMA {setting}")
        indexes = _take_off_indexes(connection)
        connection.execute(NUMBERS.format(rows=rows, began=BEGAN.timestamp(), step=step))
        connection.execute(INSPECTIONS.format(run=run.id))
        connection.execute(DEFECTS)
        for name in PRODUCTS:
            connection.execute("INSERT INTO product VALUES (?, '2025-11-01 00:00:00')", (name,))
        for statement in indexes:
            connection.execute(statement)


def _take_off_indexes(connection: sqlite3.Connection) -> list[str]:
    query = "SELECT name, sql FROM sqlite_master WHERE tbl_name = 'inspection' AND type = 'index'"
    named = [(name, sql) for name, sql in connection.execute(query) if sql is not None]
    for name, _ in named:
        connection.execute(f"DROP INDEX {name}")
    return [sql for _, sql in named]
