"""Score tables: exact formats, exact round trips, and errors that say where."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.pixelplay import write_pixelplay
from model.states import State
from model.tables import Row, TableError, read_csv, write_csv, write_jsonl
from tests.model.rows import row

HEADER = "clip,frame,time,raw,score,smoothed,state\n"


def text(rows: list[Row]) -> str:
    out = io.StringIO()
    assert write_csv(rows, out) == len(rows)
    return out.getvalue()


def test_csv_as_written() -> None:
    rows = [
        row(raw=1 / 3, time=1 / 30),
        row(frame=1, raw=None, smoothed=None, time=36000.1234567),
        row("a,b", 2, raw=None, score=None, smoothed=None, time=1_700_000_000.25),
    ]
    assert text(rows) == (
        HEADER + "01,0,0.033333,0.333333333,0.25,0.125,normal\n"
        "01,1,36000.123457,,0.25,,warming\n"
        '"a,b",2,1700000000.25,,,,warming\n'
    )


def test_csv_streams() -> None:
    out = io.StringIO()

    def rows() -> Iterator[Row]:
        for frame in range(3):
            assert out.getvalue().count("\n") == frame + 1  # the header and every row before
            yield row(frame=frame)

    assert write_csv(rows(), out) == 3


VALUES = st.none() | st.floats(0, 1e6, width=32)
NAMES = st.text(st.characters(exclude_categories=[]), max_size=12) | st.sampled_from(
    ["=1+1", "'=1", "''@x", "'", "-", "+44", "a\rb", "a\nb", "\r", "\t", '"', "a,b", "caf\udce9", " x "]
)


@given(rows=st.lists(st.tuples(NAMES, st.integers(0, 10**6), VALUES, VALUES, VALUES, st.sampled_from(State))))
def test_csv_round_trip(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, int, float | None, float | None, float | None, State]],
) -> None:
    # Of the lone surrogates, those of undecodable file names can be written.
    rows = [r for r in rows if not any("\ud800" <= c <= "\udfff" and not "\udc80" <= c <= "\udcff" for c in r[0])]
    path = tmp_path_factory.getbasetemp() / "round-trip.csv"
    with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as out:
        write_csv([Row(r[0], r[1], r[1] / 25, r[2], r[3], r[4], r[5]) for r in rows], out)
    back = read_csv(path)
    # Undecodable bytes of two neighbours may be a letter together.
    names = [r[0].encode(errors="surrogateescape").decode(errors="surrogateescape") for r in rows]
    assert [(got.clip, got.frame, got.state) for got in back] == [
        (name, r[1], r[5]) for name, r in zip(names, rows, strict=True)
    ]
    for got, (_, frame, *numbers, _) in zip(back, rows, strict=True):
        assert got.time == pytest.approx(frame / 25, abs=1e-6)
        for value, wanted in zip((got.raw, got.score, got.smoothed), numbers, strict=True):
            assert (value is None) == (wanted is None)
            assert value is None or np.float32(value) == np.float32(wanted)


@pytest.mark.parametrize(
    ("name", "written"),
    [("=cmd()", "'=cmd()"), ("-1", "'-1"), ("@x", "'@x"), ("'+1", "''+1"), ("it's", "it's"), ("'quoted'", "'quoted'")],
)
def test_clip_name_never_is_a_formula(name: str, written: str) -> None:
    assert text([row(name)]).splitlines()[1].split(",")[0] == written


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("write", [write_csv, write_jsonl, write_pixelplay])
def test_numbers_must_be_finite(write: object, value: float) -> None:
    assert callable(write)
    with pytest.raises(TableError, match=r"clip '01', frame 3: score is (nan|inf), not a finite number"):
        write([row(frame=3, score=value)], io.StringIO())


def test_time_must_be_finite() -> None:
    with pytest.raises(TableError, match="time is nan"):
        text([row(time=math.nan)])


@pytest.mark.parametrize(
    ("content", "where"),
    [
        pytest.param("", "line 1: expected clip,frame", id="empty"),
        pytest.param("Id,Predicted\n1_1,0\n", "line 1: expected clip,frame", id="another table"),
        pytest.param(HEADER + "01,0,0\n", "line 2: expected 7 fields, found 3", id="cut off"),
        pytest.param(HEADER + "01,0,0,,,,normal\n\n", "line 3: expected 7 fields, found 0", id="blank line"),
        pytest.param(HEADER + "01,0,0,,,,normal,x\n", "line 2: expected 7 fields, found 8", id="too many"),
        pytest.param(HEADER + "01,1_0,0,,,,normal\n", "line 2: frame '1_0'", id="frame"),
        pytest.param(HEADER + "01,0,,,,,normal\n", "line 2: time ''", id="no time"),
        pytest.param(HEADER + "01,0,0,x,,,normal\n", "line 2: raw 'x': expected a number", id="no number"),
        pytest.param(HEADER + "01,0,0,,nan,,normal\n", "line 2: score 'nan'", id="not finite"),
        pytest.param(HEADER + "01,0,0,,,,odd\n", "line 2: 'odd' is not a valid State", id="state"),
        pytest.param(HEADER + '"01,0,0,,,,normal\n', "line 2: unexpected end of data", id="open quote"),
        pytest.param(HEADER + '"a"b,0,0,,,,normal\n', "line 2: ", id="stray quote"),
    ],
)
def test_malformed_csv_says_where(tmp_path: Path, content: str, where: str) -> None:
    path = tmp_path / "scores.csv"
    path.write_text(content)
    with pytest.raises(TableError) as caught:
        read_csv(path)
    assert str(caught.value).startswith(f"{path}, {where}")


def test_bytes_that_are_no_csv(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_bytes(bytes(range(256)) * 10)
    with pytest.raises(TableError, match="line 1"):
        read_csv(path)
    path.write_bytes(b"\xef\xbb\xbf" + HEADER.encode() + b"01,0,0,,,,normal\r\n")  # saved by a spreadsheet
    assert len(read_csv(path)) == 1


def test_jsonl() -> None:
    out = io.StringIO()
    rows = [
        row(raw=1 / 3),
        row("ü", 1, raw=None, reason="thinned"),
        row(frame=2, raw=None, score=None, smoothed=None, reason="too slow"),
    ]
    assert write_jsonl(rows, out) == 3
    common = {"time": 0.1, "score": 0.25, "smoothed": 0.125, "state": "normal"}
    assert [json.loads(line) for line in out.getvalue().splitlines()] == [
        {**common, "clip": "01", "frame": 0, "raw": 0.333333333},
        {**common, "clip": "ü", "frame": 1, "raw": None, "reason": "thinned", "repeated": True},
        {
            "clip": "01",
            "frame": 2,
            "time": 0.1,
            "raw": None,
            "score": None,
            "smoothed": None,
            "state": "warming",
            "reason": "too slow",
        },
    ]
