"""The competition's table, and whether it has the Ids that are asked for."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.pixelplay import TemplateReport, check_template, write_pixelplay
from model.tables import Row, TableError
from tests.model.rows import row


def submission(rows: list[Row]) -> list[str]:
    out = io.StringIO()
    written = write_pixelplay(rows, out)
    lines = out.getvalue().splitlines()
    assert lines[0] == "Id,Predicted"
    assert [line.split(",")[0] for line in lines[1:]] == written
    return lines[1:]


def test_pixelplay_is_sorted_by_number_without_padding() -> None:
    rows = [row("10", 3), row("02", 10), row("02", 9), row("01", 939), row("2", 100)]
    assert submission(rows) == ["1_939,0.125", "2_9,0.125", "2_10,0.125", "2_100,0.125", "10_3,0.125"]


def test_pixelplay_takes_smoothed_then_the_nearest_then_score() -> None:
    def unscored(clip: str, frame: int) -> Row:
        return row(clip, frame, raw=None, score=None, smoothed=None)

    rows = [
        unscored("1", 0),
        row("1", 4, smoothed=0.75),
        unscored("1", 6),  # as near to 4 as to 8: the earlier
        row("1", 7, smoothed=None, score=0.9),
        row("1", 8, smoothed=0.5),
        unscored("1", 90),
        unscored("2", 0),
        unscored("3", 0),  # a clip too short for a window has no `smoothed` at all
        row("3", 1, smoothed=None, score=0.25),
    ]
    expected = ["1_0,0.75", "1_4,0.75", "1_6,0.75", "1_7,0.5", "1_8,0.5", "1_90,0.5", "2_0,0", "3_0,0.25", "3_1,0.25"]
    assert submission(rows) == expected


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


def test_blank_lines_of_a_template_are_no_ids(tmp_path: Path) -> None:
    template = tmp_path / "ids.csv"
    template.write_text("Id,Predicted\n1_1,0\n\n\n")
    assert check_template(["1_1"], template).ok


@pytest.mark.parametrize(
    ("content", "where"), [("", "line 1"), ("Name\n1_1\n", "line 1"), ("Id\n1_1\n,0\n", "line 3: no Id")]
)
def test_malformed_template(tmp_path: Path, content: str, where: str) -> None:
    template = tmp_path / "ids.csv"
    template.write_text(content)
    with pytest.raises(TableError, match=where):
        check_template([], template)
