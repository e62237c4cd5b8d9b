"""`framewatch evaluate`: its table, its JSON, its picture, and each bad input in one clear message."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from tests.model.detectors import HEIGHT, WIDTH
from tests.service.command_line import Ended, framewatch, refused, write_checkpoint
from tests.training.drawn import write_clip, write_clips

FRAMES = 20


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips, of the first of which the second half is abnormal, with labels of every kind."""
    folder = tmp_path_factory.mktemp("evaluate")
    write_clips(folder / "test", 2, FRAMES)
    write_checkpoint(folder / "m.safetensors")
    truth = np.r_[np.zeros(FRAMES // 2, np.uint8), np.ones(FRAMES // 2, np.uint8)]
    np.savez(folder / "labels.npz", **{"01": truth, "02": np.zeros(FRAMES, np.uint8)})
    lines = [f"{c},{n},{int(c == '01' and n >= FRAMES // 2)}" for c in ("01", "02") for n in range(FRAMES)]
    (folder / "frames.csv").write_text("clip,frame,label\n" + "\n".join(lines) + "\n")
    (folder / "spans.csv").write_text("clip,start,end\n01,10,19\n02,,\n")
    for kind in ("masks", "mats"):
        (folder / kind).mkdir()
    for clip in ("01", "02"):
        masks = np.zeros((HEIGHT, WIDTH, FRAMES), np.uint8)
        if clip == "01":
            masks[10:30, 20:60, FRAMES // 2 :] = 1
        savemat(folder / "mats" / f"{clip}_label.mat", {"masks": masks})
        (folder / "masks" / clip).mkdir()
        for number in range(FRAMES):
            cv2.imwrite(str(folder / "masks" / clip / f"{number:03d}.png"), 255 * masks[..., number])
    return folder


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def words(desk: Path, labels: object = "labels.npz", footage: Path | None = None) -> list[object]:
    given = footage or desk / "test"
    return ["evaluate", given, "--labels", desk / str(labels), "--model", desk / "m.safetensors", "--fps", 10]


def evaluate(desk: Path, *more: object, labels: str = "labels.npz") -> Ended:
    ended = framewatch(*words(desk, labels), *more)
    assert ended.code == 0, ended
    return ended


def refuse(desk: Path, *more: object, labels: object = "labels.npz", footage: Path | None = None) -> str:
    return refused(*words(desk, labels, footage), *more)


def test_the_table_has_both_columns_and_the_threshold(desk: Path) -> None:
    table = evaluate(desk).out
    assert "causal" in table.splitlines()[0]
    assert "offline" in table.splitlines()[0]
    for row in ("micro ROC-AUC", "macro ROC-AUC", "AP", "EER", "events", "false alarms", "speed"):
        assert f"\n{row}" in table
    assert "one class only: 02" in table


def test_the_json_is_the_contract_in_fractions(desk: Path) -> None:
    document = evaluate(desk, "--json", "--masks", desk / "masks").json
    for column in ("causal", "offline"):
        assert set(document[column]) == {"micro_auc", "macro_auc", "ap", "eer"}
        assert all(0 <= value <= 1 for value in document[column].values())
    assert document["base_rate"] == pytest.approx(0.25)
    assert 0 < document["pixel_auc"] < 1
    assert set(document["events"]) == {"recall", "false_alarms_per_hour", "median_delay_s"}
    assert 0 <= document["events"]["recall"] <= 1
    assert document["frames_per_second"] > 0


def test_every_kind_of_label_says_the_same(desk: Path) -> None:
    figures = []
    for labels in ("labels.npz", "frames.csv", "spans.csv", "masks", "mats"):
        document = evaluate(desk, "--json", labels=labels).json
        figures.append({name: document[name] for name in ("causal", "offline", "base_rate", "events")})
    assert all(figure == figures[0] for figure in figures)


def test_mat_files_serve_as_masks(desk: Path) -> None:
    pngs, mats = (evaluate(desk, "--json", "--masks", desk / kind).json["pixel_auc"] for kind in ("masks", "mats"))
    assert pngs == pytest.approx(mats)


def test_the_picture_is_drawn_and_named(desk: Path) -> None:
    ended = evaluate(desk, "--plot", "evaluation.png")
    image = cv2.imread("evaluation.png")
    assert image is not None
    assert image.std() > 1
    assert "wrote evaluation.png" in ended.err


def test_corruption_on_purpose_changes_the_figures(desk: Path) -> None:
    clean, spoilt = evaluate(desk, "--json"), evaluate(desk, "--json", "--corrupt", 0, "--repair", "none")
    assert clean.json["causal"] != spoilt.json["causal"]


@pytest.mark.parametrize(
    ("name", "arrays", "part"),
    [
        ("lacks.npz", {"01": [0] * FRAMES}, "no labels for clips 02"),
        ("length.npz", {"01": [0] * 7, "02": [0] * FRAMES}, "clip 01: 7 labels for 20 frames"),
        ("values.npz", {"01": [3] * FRAMES, "02": [0] * FRAMES}, "holds 3: labels are 0 (normal) or 1 (abnormal)"),
        ("shape.npz", {"01": [[0] * FRAMES], "02": [0] * FRAMES}, "must be one 0 or 1 a frame"),
    ],
)
def test_labels_that_do_not_fit(desk: Path, name: str, arrays: dict[str, list[int]], part: str) -> None:
    stored: dict[str, Any] = {clip: np.array(values, np.uint8) for clip, values in arrays.items()}
    np.savez(name, **stored)
    assert part in refuse(desk, labels=Path(name).absolute())


@pytest.mark.parametrize(
    ("name", "text", "part"),
    [
        ("junk.npz", "junk", "cannot be read as .npz"),
        ("junk.mat", "junk", "junk.mat"),
        ("junk.csv", "a,b\n1,2\n", "the first line must be clip,frame,label or clip,start,end"),
        ("labels.txt", "0 1", "labels are a .npz, .csv or .mat file"),
    ],
)
def test_labels_that_are_none(desk: Path, name: str, text: str, part: str) -> None:
    Path(name).write_text(text)
    message = refuse(desk, labels=Path(name).absolute())
    assert part in message
    assert name in message


def test_missing_labels_and_masks(desk: Path) -> None:
    assert refuse(desk, labels="nowhere").endswith("nowhere: no such file or folder")
    assert refuse(desk, "--masks", "nowhere") == "--masks nowhere: no such file or folder"


def test_masks_of_some_clips_only(desk: Path) -> None:
    Path("masks/01").mkdir(parents=True)
    cv2.imwrite("masks/01/000.png", np.zeros((4, 4), np.uint8))
    assert "no labels for clips 02" in refuse(desk, "--masks", "masks")


def test_unreadable_frames_are_all_named_before_scoring(desk: Path) -> None:
    write_clips(Path("spoilt"), 2, FRAMES)
    bad = [Path("spoilt/01/frame_00003.jpg"), Path("spoilt/02/frame_00019.jpg")]
    for picture in bad:
        picture.write_bytes(picture.read_bytes()[:200])
    message = refuse(desk, footage=Path("spoilt"))
    assert message.startswith("2 unreadable frames or files:")
    assert all(str(picture.absolute()) in message for picture in bad)


def test_pictures_of_another_aspect(desk: Path) -> None:
    write_clip(Path("square/01"), 3, height=96, width=96)
    assert refuse(desk, footage=Path("square")).startswith("clip 01, frame 0: picture is 96x96")


def test_a_model_that_is_none(desk: Path) -> None:
    command = ["evaluate", desk / "test", "--labels", desk / "labels.npz", "--model", desk / "labels.npz"]
    assert "is no safetensors file" in refused(*command)


def test_a_picture_that_would_overwrite_the_labels(desk: Path) -> None:
    assert "would overwrite what is read" in refuse(desk, "--plot", desk / "labels.npz")
    assert "--plot x.pdf: a plot is a PNG" in refuse(desk, "--plot", "x.pdf")
