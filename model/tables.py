"""Score tables: CSV, JSONL, the competition's format."""

from __future__ import annotations

import csv
import json
import math
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from model.states import State

HEADER = ("clip", "frame", "time", "raw", "score", "smoothed", "state")
"""Columns of the CSV table."""

_WHOLE = re.compile(r"[0-9]{1,18}")  # int() would also take 1_2, which is not clip 12
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_SHOWN = 10


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
        numbers = ("" if value is None else f"{value:.9g}" for value in _scores(row))
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
    for line, fields in _records(path, HEADER):
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
        numbers = (None if value is None else float(f"{value:.9g}") for value in _scores(row))
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


def write_pixelplay(rows: Iterable[Row], out: TextIO) -> list[str]:
    """Writes the competition's table `Id,Predicted` (Pixel Play '26), sorted by clip and frame number.

    Id is `clip_frame` without padding. Predicted is `smoothed`, `score` while warming, and for a frame without any
    score the value of the nearest frame of its clip that has one (0 in a clip that has none). Of every row, three
    numbers are held; nothing is written before all rows are good.

    Returns:
        The Ids as written, for `check_template`.

    Raises:
        TableError: for clip names that are no whole numbers (all are named), for a frame that comes twice, or for
            a number that is not finite.
    """
    clips, frames, values = array("q"), array("q"), array("d")
    named: dict[str, int | None] = {}
    for row in rows:
        if row.clip not in named:
            named[row.clip] = int(row.clip) if _WHOLE.fullmatch(row.clip) else None
        number = named[row.clip]
        if number is None:
            continue
        _, score, smoothed = _scores(row)
        value = score if smoothed is None else smoothed
        clips.append(number)
        frames.append(row.frame)
        values.append(math.nan if value is None else value)
    wrong = [name for name, number in named.items() if number is None]
    if wrong:
        raise TableError(
            "the competition's Ids need clips named by whole numbers, such as 01; these are not: "
            + ", ".join(map(repr, wrong))
        )
    order = np.lexsort((np.array(frames), np.array(clips)))
    clip, frame, value_of = np.array(clips)[order], np.array(frames)[order], np.array(values)[order]
    twice = np.flatnonzero((np.diff(clip) == 0) & (np.diff(frame) == 0))
    if len(twice):
        ids = dict.fromkeys(f"{clip[at]}_{frame[at]}" for at in twice)
        raise TableError(f"frames that come more than once: {_listed(list(ids))}")
    for piece in np.split(np.arange(len(clip)), np.flatnonzero(np.diff(clip)) + 1):
        value_of[piece] = _nearest_known(frame[piece], value_of[piece])
    written = [f"{c}_{f}" for c, f in zip(clip.tolist(), frame.tolist(), strict=True)]
    out.write("Id,Predicted\n")
    out.writelines(f"{name},{value:.9g}\n" for name, value in zip(written, value_of.tolist(), strict=True))
    return written


@dataclass(frozen=True, slots=True)
class TemplateReport:
    """How a competition table compares with a list of Ids.

    Attributes:
        missing: Ids of the template that were not written, in its order.
        extra: Ids that were written and are not in the template, in the order written.
    """

    missing: tuple[str, ...]
    extra: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether both have the same Ids."""
        return not self.missing and not self.extra

    def describe(self) -> str:
        """One line a person can act on: the counts, and at most 10 Ids of each kind."""
        if self.ok:
            return "every Id of the template is there, and no other"
        parts = [("missing", self.missing), ("extra", self.extra)]
        return "; ".join(f"{len(ids)} {kind}: {_listed(ids)}" for kind, ids in parts if ids)


def check_template(ids: Iterable[str], template_path: Path) -> TemplateReport:
    """Compares Ids with those of a CSV whose first column is `Id`.

    Args:
        ids: as `write_pixelplay` returns them.
        template_path: a list of Ids, or a sample submission.

    Raises:
        TableError: if it is no such CSV, naming the file and the line.
        OSError: if it cannot be opened.
    """
    written = dict.fromkeys(ids)
    template: dict[str, None] = {}
    for line, fields in _records(template_path, ("Id",)):
        if not fields or not fields[0]:
            raise TableError(f"{template_path}, line {line}: no Id")
        template[fields[0]] = None
    return TemplateReport(
        missing=tuple(name for name in template if name not in written),
        extra=tuple(name for name in written if name not in template),
    )


def _records(path: Path, header: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
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
    if not _WHOLE.fullmatch(frame):
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


def _scores(row: Row) -> tuple[float | None, float | None, float | None]:
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


def _nearest_known(frames: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """NaN replaced by the value of the nearest frame that has one, the earlier of two; 0 where there is none."""
    known = np.flatnonzero(~np.isnan(values))
    if not len(known):
        return np.zeros_like(values)
    after = np.clip(np.searchsorted(frames[known], frames), 0, len(known) - 1)
    before = np.maximum(after - 1, 0)
    later = np.abs(frames[known[after]] - frames) < np.abs(frames[known[before]] - frames)
    filled: NDArray[np.float64] = values[known[np.where(later, after, before)]]
    return np.where(np.isnan(values), filled, values)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
