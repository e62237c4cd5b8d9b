"""Score tables: exact formats, exact round trips, and errors that say where."""

from __future__ import annotations

import io
import json
import math
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.atomic import atomic_path, open_atomic
from model.pixelplay import TemplateReport, check_template, write_pixelplay
from model.states import State
from model.tables import Row, TableError, read_csv, write_csv, write_jsonl

HEADER = "clip,frame,time,raw,score,smoothed,state\n"


def row(
    clip: str = "01",
    frame: int = 0,
    *,
    raw: float | None = 0.5,
    score: float | None = 0.25,
    smoothed: float | None = 0.125,
    time: float = 0.1,
    reason: str = "",
) -> Row:
    state = State.WARMING if smoothed is None else State.NORMAL
    return Row(clip, frame, time, raw, score, smoothed, state, reason)


def text(rows: list[Row]) -> str:
    out = io.StringIO()
    assert write_csv(rows, out) == len(rows)
    return out.getvalue()


def submission(rows: list[Row]) -> list[str]:
    out = io.StringIO()
    written = write_pixelplay(rows, out)
    lines = out.getvalue().splitlines()
    assert lines[0] == "Id,Predicted"
    assert [line.split(",")[0] for line in lines[1:]] == written
    return lines[1:]


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


def test_pixelplay_is_sorted_by_number_without_padding() -> None:
    rows = [row("10", 3), row("02", 10), row("02", 9), row("01", 939), row("2", 100)]
    assert submission(rows) == ["1_939,0.125", "2_9,0.125", "2_10,0.125", "2_100,0.125", "10_3,0.125"]


def test_pixelplay_takes_smoothed_then_score_then_the_nearest() -> None:
    def unscored(clip: str, frame: int) -> Row:
        return row(clip, frame, raw=None, score=None, smoothed=None)

    rows = [
        unscored("1", 0),
        row("1", 4, smoothed=None, score=0.75),
        unscored("1", 6),  # as near to 4 as to 8: the earlier
        unscored("1", 7),
        row("1", 8, smoothed=0.5),
        unscored("1", 90),
        unscored("2", 0),
    ]
    assert submission(rows) == ["1_0,0.75", "1_4,0.75", "1_6,0.75", "1_7,0.5", "1_8,0.5", "1_90,0.5", "2_0,0"]


def test_pixelplay_of_nothing() -> None:
    assert submission([]) == []


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [row("01"), row("Test002"), row("1_2"), row("-3"), row("²"), row("Test002", 1)],
            "'Test002', '1_2', '-3', '²'",
        ),
        ([row("01", 7), row("1", 7), row("1", 8)], "more than once: 1_7"),
        ([row("", 7)], "''"),
    ],
)
def test_pixelplay_refuses_before_it_writes(rows: list[Row], message: str) -> None:
    out = io.StringIO()
    with pytest.raises(TableError) as caught:
        write_pixelplay(rows, out)
    assert str(caught.value).endswith(message)
    assert out.getvalue() == ""


@given(frames=st.dictionaries(st.tuples(st.integers(0, 30), st.integers(0, 2000)), st.booleans(), min_size=1))
def test_pixelplay_has_every_frame_once(frames: dict[tuple[int, int], bool]) -> None:
    lines = submission(
        [
            row(f"{clip:02}", frame, smoothed=0.5 if scored else None, score=None)
            for (clip, frame), scored in frames.items()
        ]
    )
    assert [line.split(",")[0] for line in lines] == [f"{clip}_{frame}" for clip, frame in sorted(frames)]
    assert all(float(line.split(",")[1]) in (0.0, 0.5) for line in lines)


def test_template_of_the_competition(footage: Path) -> None:
    template = footage / "pixelplay" / "row_ids.csv"
    if not template.exists():
        pytest.skip(f"no {template}")
    ids = template.read_text().split()[1:]
    assert len(ids) == 11706
    rows = [row(f"{int(clip):02}", int(frame)) for clip, frame in (name.split("_") for name in ids)]
    written = write_pixelplay(rows[::-1], io.StringIO())
    assert written == ids
    report = check_template(written, template)
    assert report.ok
    assert report.describe() == "every Id of the template is there, and no other"


def test_template_report(tmp_path: Path) -> None:
    template = tmp_path / "sample.csv"
    template.write_text("Id,Predicted\n" + "".join(f"1_{n},0\n" for n in range(20)))
    report = check_template(["1_3", "9_9"], template)
    assert report == TemplateReport(tuple(f"1_{n}" for n in range(20) if n != 3), ("9_9",))
    assert not report.ok
    assert report.describe() == (
        "19 missing: 1_0, 1_1, 1_2, 1_4, 1_5, 1_6, 1_7, 1_8, 1_9, 1_10 and 9 more; 1 extra: 9_9"
    )


@pytest.mark.parametrize(
    ("content", "where"), [("", "line 1"), ("Name\n1_1\n", "line 1"), ("Id\n1_1\n\n", "line 3: no Id")]
)
def test_malformed_template(tmp_path: Path, content: str, where: str) -> None:
    template = tmp_path / "ids.csv"
    template.write_text(content)
    with pytest.raises(TableError, match=where):
        check_template([], template)


def test_atomic_file_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    with open_atomic(path) as out:
        out.write("a\r\n")
        assert not path.exists()
    assert path.read_bytes() == b"a\r\n"
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask
    assert os.listdir(tmp_path) == ["scores.csv"]


def test_atomic_file_stays_as_it_was_on_an_error(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("old")
    with pytest.raises(TableError), open_atomic(path) as out:
        write_csv([row(), row(time=math.nan)], out)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["scores.csv"]
    with pytest.raises(FileNotFoundError), open_atomic(tmp_path / "no folder" / "scores.csv"):
        pass


def test_atomic_path_follows_links_and_spares_devices(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "target")
    with atomic_path(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink() and (tmp_path / "target").read_text() == "new"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with atomic_path(pipe) as same:
        assert same == pipe
    assert stat.S_ISFIFO(pipe.stat().st_mode)
