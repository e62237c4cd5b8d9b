"""`framewatch score`: every option, every format, and each bad input in one clear message."""

from __future__ import annotations

import csv
import json
import shutil
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from model.tables import HEADER, Row, read_csv
from service.commands.heatmaps import AT_THRESHOLD
from tests.model.detectors import HEIGHT, WIDTH, pictures
from tests.service.command_line import Ended, framewatch, refused, write_checkpoint
from tests.training.drawn import write_clip, write_clips, write_moving_video

FRAMES = 24


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two clips and a model."""
    folder = tmp_path_factory.mktemp("score")
    write_clips(folder / "clips", 2, FRAMES)
    write_checkpoint(folder / "m.safetensors", window=6, smoothing=0.5)
    return folder


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FRAMEWATCH_MODEL", raising=False)


def score(desk: Path, *more: object, footage: Path | None = None) -> Ended:
    ended = framewatch("score", footage or desk / "clips", "--model", desk / "m.safetensors", "--fps", 10, *more)
    assert ended.code == 0, ended
    return ended


def rows(desk: Path, *more: object) -> list[Row]:
    score(desk, *more, "--out", "scores.csv")
    return read_csv(Path("scores.csv"))


def smoothed(found: list[Row]) -> list[float]:
    return [np.nan if row.smoothed is None else row.smoothed for row in found]


def test_a_stray_picture_of_another_aspect_is_left_out_where_that_was_asked_for(desk: Path) -> None:
    write_clip(Path("mixed/03"), 19)
    write_clip(Path("mixed/03"), 1, first=9, height=96, width=96)
    ended = score(desk, "--skip-bad", footage=Path("mixed"))
    assert [row.frame for row in read_csv(Path("scores.csv"))] == [n for n in range(19) if n != 9]
    assert "left out: clip 03, frame 9: picture is 96x96" in ended.err


def test_every_frame_gets_a_row_in_the_default_table(desk: Path) -> None:
    ended = score(desk)
    assert Path("scores.csv").read_text().splitlines()[0] == ",".join(HEADER)
    found = read_csv(Path("scores.csv"))
    assert [(row.clip, row.frame) for row in found] == [(c, n) for c in ("01", "02") for n in range(FRAMES)]
    assert ended.out == ""
    assert f"2 clips, {2 * FRAMES} frames in" in ended.err
    assert "wrote scores.csv" in ended.err


def test_an_existing_table_is_replaced_whole(desk: Path) -> None:
    Path("scores.csv").write_text("old" * 10_000)
    assert len(rows(desk)) == 2 * FRAMES


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["--out", "a.csv"], "a.csv"),
        (["--out", "a.jsonl"], "a.jsonl"),
        (["--format", "jsonl"], "scores.jsonl"),
        (["--format", "pixelplay"], "submission.csv"),
        (["--format", "csv", "--out", "a.txt"], "a.txt"),
    ],
)
def test_the_formats_file_is_named_by_itself(desk: Path, words: list[str], name: str) -> None:
    score(desk, *words)
    assert [path.name for path in Path().iterdir()] == [name]


def test_all_formats_hold_the_same_numbers(desk: Path) -> None:
    table = rows(desk)
    score(desk, "--format", "jsonl", "--out", "s.jsonl")
    score(desk, "--format", "pixelplay", "--out", "s.csv")
    lines = [json.loads(line) for line in Path("s.jsonl").read_text().splitlines()]
    assert [line["smoothed"] for line in lines] == pytest.approx([row.smoothed for row in table])
    assert [line["state"] for line in lines] == [row.state.value for row in table]
    with open("s.csv", newline="") as file:
        predicted = [float(line["Predicted"]) for line in csv.DictReader(file)]
    expected = [row.score if row.smoothed is None else row.smoothed for row in table]
    assert predicted == pytest.approx(expected)


@pytest.mark.parametrize("name", ["csv", "jsonl", "pixelplay"])
def test_a_table_to_standard_output_is_alone_there(desk: Path, name: str) -> None:
    ended = score(desk, "--out", "-", "--format", name)
    score(desk, "--out", "file", "--format", name)
    assert ended.out == Path("file").read_text()
    assert "wrote" not in ended.err
    assert [path.name for path in Path().iterdir()] == ["file"]


def test_json_is_alone_on_standard_output_and_holds_the_documented_keys(desk: Path) -> None:
    document = score(desk, "--json", "--plot", "t.png").json
    assert set(document) == {
        "out",
        "format",
        "model",
        "clips",
        "frames",
        "seconds",
        "frames_per_second",
        "repeated",
        "flipped",
        "skipped",
        "unscored",
        "anomalous",
        "alarms",
        "peak",
        "template",
    }
    assert (document["out"], document["format"]) == ("scores.csv", "csv")
    assert (document["clips"], document["frames"]) == (2, 2 * FRAMES)
    assert set(document["peak"]) == {"clip", "frame", "time", "smoothed"}
    assert document["template"] is None


def test_the_kind_of_source_makes_no_difference(desk: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile("clips.zip", "w") as packed:
        for picture in sorted((desk / "clips").rglob("*.jpg")):
            packed.write(picture, picture.relative_to(desk / "clips"))
    table = rows(desk)
    score(desk, "--out", "zipped.csv", footage=tmp_path / "clips.zip")
    assert read_csv(tmp_path / "zipped.csv") == table
    framewatch(
        "score", desk / "clips/01", desk / "clips/02", "-m", desk / "m.safetensors", "-o", "two.csv", "--fps", 10
    )
    assert read_csv(tmp_path / "two.csv") == table


def test_a_video_is_scored_by_its_own_time_stamps(desk: Path, tmp_path: Path) -> None:
    video = write_moving_video(tmp_path / "gate.mp4", 30)
    ended = framewatch("score", video, "--model", desk / "m.safetensors")
    assert ended.code == 0
    assert "10 frames a second" not in ended.err
    found = read_csv(Path("scores.csv"))
    assert [row.time for row in found] == pytest.approx([n / 10 for n in range(30)])
    assert {row.clip for row in found} == {"gate"}


def test_the_assumed_rate_is_said_once(desk: Path) -> None:
    ended = framewatch("score", desk / "clips", "--model", desk / "m.safetensors")
    assert ended.err.count("10 frames a second") == 1


def test_a_source_too_slow_for_the_model_gets_rows_without_scores_and_the_reason(desk: Path) -> None:
    ended = framewatch("score", desk / "clips", "--model", desk / "m.safetensors", "--fps", 1)
    assert ended.code == 0
    assert "slower than half the model's frame rate" in ended.said


def test_a_faster_source_is_thinned_and_that_is_said(desk: Path) -> None:
    ended = framewatch("score", desk / "clips", "--model", desk / "m.safetensors", "--fps", 20, "--json")
    assert ended.json["repeated"] == pytest.approx(FRAMES, abs=2)
    assert "repeat the last score: the footage is faster than the model" in ended.said


def test_the_model_can_come_from_the_environment(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMEWATCH_MODEL", str(desk / "m.safetensors"))
    assert framewatch("score", desk / "clips").code == 0


def test_the_demo_model_is_known_by_name(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.commands.opening.bundled", lambda: desk / "m.safetensors")
    ended = framewatch("score", desk / "clips", "--model", "demo", "--json")
    assert ended.code == 0
    assert ended.json["model"] == str(desk / "m.safetensors")


class TestLookingAhead:
    def test_centre_gives_a_windows_score_to_its_middle_frame(self, desk: Path) -> None:
        last, centre = rows(desk), rows(desk, "--align", "centre")
        half = 3  # of a window of 6 frames: 2.5 steps, and frames come whole
        shifted = [row.raw for row in last[half:FRAMES]]
        assert [row.raw for row in centre[: FRAMES - half]] == pytest.approx(shifted)

    @pytest.mark.parametrize("how", ["rolling:1", "none", "gaussian:0.3"])
    def test_smoothing_is_what_was_asked_for(self, desk: Path, how: str) -> None:
        own, other = rows(desk), rows(desk, "--smooth", how)
        assert [row.score for row in other] == pytest.approx([row.score for row in own])
        assert smoothed(other) != pytest.approx(smoothed(own), nan_ok=True)

    def test_no_smoothing_leaves_the_score(self, desk: Path) -> None:
        found = [row for row in rows(desk, "--smooth", "none") if row.smoothed is not None]
        assert [row.smoothed for row in found] == pytest.approx([row.score for row in found])

    def test_the_models_own_smoothing_by_name_changes_nothing(self, desk: Path) -> None:
        ended = score(desk, "--smooth", "rolling:0.5", "--out", "named.csv")
        assert "does not hold" not in ended.err
        assert read_csv(Path("named.csv")) == rows(desk)

    @pytest.mark.parametrize(
        ("words", "part"),
        [
            (["--smooth", "rolling:2"], "with --smooth rolling:2 the checkpoint's estimate of 1 false alarm an hour"),
            (["--align", "centre"], "with --align centre the checkpoint's estimate"),
            (["--normalize", "video"], "--normalize video looks at the whole clip"),
            (["--normalize", "global"], "--normalize global looks at the whole run"),
        ],
    )
    def test_an_option_that_voids_the_threshold_says_so(self, desk: Path, words: list[str], part: str) -> None:
        assert part in score(desk, *words).said

    def test_normalised_scores_fill_the_range_of_each_clip_or_of_all(self, desk: Path) -> None:
        video = rows(desk, "--normalize", "video")
        for clip in ("01", "02"):
            values = [row.smoothed for row in video if row.clip == clip and row.smoothed is not None]
            assert (min(values), max(values)) == (0.0, 1.0)
        over_all = [row for row in rows(desk, "--normalize", "global") if row.smoothed is not None]
        assert (min(smoothed(over_all)), max(smoothed(over_all))) == (0.0, 1.0)
        highest = [max(smoothed([row for row in over_all if row.clip == clip])) for clip in ("01", "02")]
        assert min(highest) < 1.0


class TestRepair:
    @pytest.fixture
    def spoilt(self, tmp_path: Path) -> Path:
        """A clip of which every fifth frame is upside down, and every fifth, two later, noisy."""
        folder = tmp_path / "clips" / "01"
        folder.mkdir(parents=True)
        generator = np.random.default_rng(0)
        for number, image in enumerate(pictures(FRAMES)):
            if number % 5 == 0:
                image = image[::-1]
            elif number % 5 == 2:
                image = np.clip(image + generator.uniform(-35, 35, image.shape), 0, 255).astype(np.uint8)
            cv2.imwrite(str(folder / f"{number:03d}.png"), image)
        return folder.parent

    def test_flip_repair_says_how_many_frames_it_turned(self, desk: Path, spoilt: Path) -> None:
        ended = score(desk, "--repair", "flip,noise", "--json", footage=spoilt)
        assert ended.json["flipped"] == 5
        assert "flip repair turned 5 frames" in ended.err

    def test_repair_is_done_where_it_was_asked_for(self, desk: Path, spoilt: Path) -> None:
        sums = {}
        for repair in ("none", "noise", "flip", "flip,noise"):
            score(desk, "--repair", repair, "--out", "s.csv", footage=spoilt)
            sums[repair] = sum(row.raw or 0 for row in read_csv(Path("s.csv")))
        assert len(set(sums.values())) == 4
        assert sums["flip,noise"] < sums["noise"]

    def test_without_flip_repair_nothing_is_said_of_it(self, desk: Path) -> None:
        assert "flip" not in score(desk).err


class TestPictures:
    def test_a_heat_map_for_every_window(self, desk: Path) -> None:
        table = rows(desk, "--heatmaps", "heat")
        found = sorted(Path("heat").rglob("*.png"))
        ready = [row for row in table if row.raw is not None and row.smoothed is not None]
        assert [str(path) for path in found] == [f"heat/{row.clip}/{row.frame:06d}.png" for row in ready]
        image = cv2.imread(str(found[-1]), cv2.IMREAD_UNCHANGED)
        assert image is not None
        assert image.dtype == np.uint16
        assert image.shape == (2 * HEIGHT // 16, 2 * WIDTH // 16)
        assert image.any()

    def test_heat_is_in_units_of_the_threshold(self, desk: Path) -> None:
        write_checkpoint(Path("strict.safetensors"), theta=0.25)
        for name, model in (("one", desk / "m.safetensors"), ("two", "strict.safetensors")):
            framewatch("score", desk / "clips/01", "--model", model, "--heatmaps", name, "--fps", 10)
        values = []
        for name in ("one", "two"):
            image = cv2.imread(str(next(iter(sorted(Path(name).rglob("*.png"))))), cv2.IMREAD_UNCHANGED)
            assert image is not None
            values.append(image.astype(float).max())
        assert AT_THRESHOLD == 1000
        assert values[1] == pytest.approx(2 * values[0], rel=0.01)

    def test_the_timeline_is_drawn(self, desk: Path) -> None:
        ended = score(desk, "--plot", "timeline.png")
        image = cv2.imread("timeline.png")
        assert image is not None
        assert image.std() > 1
        assert "wrote scores.csv, timeline.png" in ended.err

    def test_a_timeline_with_a_look_ahead_has_no_pictures_of_peaks(self, desk: Path) -> None:
        score(desk, "--plot", "live.png")
        score(desk, "--plot", "ahead.png", "--smooth", "gaussian:0.5")
        live, ahead = (cv2.imread(name) for name in ("live.png", "ahead.png"))
        assert live is not None
        assert ahead is not None
        assert ahead.shape[0] < live.shape[0]


class TestCompetition:
    @pytest.fixture
    def testing(self, tmp_path: Path) -> Path:
        """`testing_videos/01` begins at frame 939 and lacks frame 945; `02` begins at 0."""
        write_clip(tmp_path / "testing_videos" / "01", 12, first=939)
        (tmp_path / "testing_videos" / "01" / "frame_00945.jpg").unlink()
        write_clip(tmp_path / "testing_videos" / "02", 9)
        return tmp_path / "testing_videos"

    @pytest.fixture
    def ids(self) -> list[str]:
        return [f"1_{n}" for n in range(939, 951) if n != 945] + [f"2_{n}" for n in range(9)]

    def submit(self, desk: Path, testing: Path, *more: object) -> Ended:
        return framewatch("score", testing, "--model", desk / "m.safetensors", "--format", "pixelplay", *more)

    def test_the_table_is_the_competitions(self, desk: Path, testing: Path, ids: list[str]) -> None:
        Path("row_ids.csv").write_text("Id\n" + "\n".join(ids) + "\n")
        ended = self.submit(desk, testing, "--template", "row_ids.csv", "--repair", "flip,noise")
        assert ended.code == 0
        with open("submission.csv", newline="") as file:
            lines = list(csv.DictReader(file))
        assert Path("submission.csv").read_text().splitlines()[0] == "Id,Predicted"
        assert [line["Id"] for line in lines] == ids
        assert all(0 <= float(line["Predicted"]) < 1 for line in lines)
        assert f"row_ids.csv: all {len(ids)} Ids" in ended.said or "row_ids.csv" in ended.said

    def test_missing_and_extra_ids_are_said_and_fail(self, desk: Path, testing: Path, ids: list[str]) -> None:
        Path("row_ids.csv").write_text("Id,Predicted\n" + "".join(f"{name},0\n" for name in [*ids[1:], "1_945", "3_0"]))
        ended = self.submit(desk, testing, "--template", "row_ids.csv", "--json")
        assert ended.code == 1
        assert "1_945" in ended.said
        assert "3_0" in ended.said
        assert "1_939" in ended.said
        assert ended.json["template"] == {
            "missing": 2,
            "extra": 1,
            "first_missing": ["1_945", "3_0"],
            "first_extra": ["1_939"],
        }
        assert Path("submission.csv").exists()  # to be looked at

    def test_a_template_that_is_none_is_refused_before_scoring(self, desk: Path, testing: Path) -> None:
        Path("row_ids.csv").write_text("name,score\n1_939,0\n")
        message = refused(
            *["score", testing, "-m", desk / "m.safetensors", "--format", "pixelplay", "--template", "row_ids.csv"]
        )
        assert message.startswith("row_ids.csv, line 1: expected Id")
        assert not Path("submission.csv").exists()

    def test_clips_without_a_number_are_named_before_scoring(self, desk: Path, testing: Path) -> None:
        shutil.move(testing / "02", testing / "gate")
        message = refused("score", testing, "--model", desk / "m.safetensors", "--format", "pixelplay")
        assert "these are not: 'gate'" in message
