"""Score tables: CSV and JSONL."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from model.states import State

HEADER = ("clip", "frame", "time", "raw", "score", "smoothed", "state")
"""Columns of the CSV table."""

WHOLE = re.compile(r"[0-9]{1,18}")  # int() would also take 1_2, which is not clip 12
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


class TableError(ValueError):
    """Rows that do not fit a table's format, or a table that cannot be read; the message says where."""


@dataclass(frozen=True, slots=True)
class Row:
    """The score of one frame (the score chain of the design).

    Attributes:
        clip: name of the clip.
        frame: frame number within the clip.
        time: seconds, the frame's time stamp.
        raw: reconstruction error of the window that ends at this frame, >= 0; None for a frame that was thinned
            out by the sampler and repeats the last score.
        score: `raw / (raw + theta)`, in [0, 1); None where the source is too slow to be scored.
        smoothed: causal mean of `score` over the last seconds; None while warming.
        state: warming, normal or anomalous.
        reason: why there is no score of this frame's own ("" where there is one).
    """

    clip: str
    frame: int
    time: float
    raw: float | None
    score: float | None
    smoothed: float | None
    state: State
    reason: str = ""


def write_csv(rows: Iterable[Row], out: TextIO) -> int:
    """Writes the table `clip,frame,time,raw,score,smoothed,state`, row by row; nothing is held.

    Numbers have 9 significant digits (a float32 comes back the same), times microseconds; what is missing is empty.
    A clip name that a spreadsheet would run as a formula gets an apostrophe, which `read_csv` takes off again.

    Args:
        rows: may be a generator of any length.
        out: opened with `newline=""`.

    Returns:
        How many rows were written.

    Raises:
        TableError: for a number that is not finite; rows before it are already written.
    """
    out.write(",".join(HEADER) + "\n")
    count = 0
    for row in rows:
        numbers = ("" if value is None else f"{value:.9g}" for value in finite_scores(row))
        fields = (_quoted(row.clip), str(row.frame), repr(_seconds(row)), *numbers, row.state.value)
        out.write(",".join(fields) + "\n")
        count += 1
    return count


def read_csv(path: Path) -> list[Row]:
    """Reads a table that `write_csv` wrote; `reason` is not in it.

    Raises:
        TableError: for anything that is no such table, naming the file and the line.
        OSError: if the file cannot be opened.
    """
    rows = []
    for line, fields in records(path, HEADER):
        try:
            rows.append(_row(fields))
        except ValueError as error:
            raise TableError(f"{path}, line {line}: {error}") from None
    return rows


def write_jsonl(rows: Iterable[Row], out: TextIO) -> int:
    """Writes one JSON object a row, with the names and numbers of the CSV table; nothing is held.

    Missing numbers are null. `reason` is there if it says something, `repeated` (true) if the frame repeats the last
    score.

    Returns:
        How many rows were written.

    Raises:
        TableError: for a number that is not finite; rows before it are already written.
    """
    count = 0
    for row in rows:
        numbers = (None if value is None else float(f"{value:.9g}") for value in finite_scores(row))
        record: dict[str, Any] = dict(
            zip(HEADER, (row.clip, row.frame, _seconds(row), *numbers, row.state.value), strict=True)
        )
        if row.reason:
            record["reason"] = row.reason
        if row.raw is None and row.score is not None:
            record["repeated"] = True
        out.write(json.dumps(record, allow_nan=False) + "\n")
        count += 1
    return count


def records(path: Path, header: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and fields of a CSV after its first line, which must begin with `header`."""
    with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            found = next(reader, [])
            if found[: len(header)] != list(header):
                raise TableError(f"{path}, line 1: expected {','.join(header)}, found {','.join(found)[:80]!r}")
            for fields in reader:
                yield reader.line_num, fields
        except csv.Error as error:
            raise TableError(f"{path}, line {reader.line_num}: {error}") from None


def _quoted(clip: str) -> str:
    """A clip name as a CSV field. Not by csv.writer: before Python 3.13 it leaves a lone carriage return bare."""
    if _FORMULA.match(clip):
        clip = f"'{clip}"
    return '"' + clip.replace('"', '""') + '"' if re.search(r'[,"\r\n]', clip) else clip


def _row(fields: Sequence[str]) -> Row:
    if len(fields) != len(HEADER):
        raise ValueError(f"expected {len(HEADER)} fields, found {len(fields)}")
    clip, frame, time, raw, score, smoothed, state = fields
    if not WHOLE.fullmatch(frame):
        raise ValueError(f"frame {frame!r}: expected a whole number")
    return Row(
        clip=clip[1:] if clip.startswith("'") and _FORMULA.match(clip) else clip,
        frame=int(frame),
        time=_number("time", time),
        raw=_number("raw", raw) if raw else None,
        score=_number("score", score) if score else None,
        smoothed=_number("smoothed", smoothed) if smoothed else None,
        state=State(state),
    )


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{name} {text!r}: expected a number")
    return value


def finite_scores(row: Row) -> tuple[float | None, float | None, float | None]:
    """raw, score and smoothed, none of them infinite or not a number."""
    scores = row.raw, row.score, row.smoothed
    for name, value in zip(HEADER[3:6], scores, strict=True):
        if value is not None and not math.isfinite(value):
            raise TableError(f"clip {row.clip!r}, frame {row.frame}: {name} is {value}, not a finite number")
    return scores


def _seconds(row: Row) -> float:
    """The row's time in whole microseconds: 9 digits would be too few after some hours, and for time of day."""
    if not math.isfinite(row.time):
        raise TableError(f"clip {row.clip!r}, frame {row.frame}: time is {row.time}, not a finite number")
    return round(float(row.time), 6)
