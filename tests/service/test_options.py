"""Options that make no sense are refused as wrong usage, before anything is loaded or read."""

from __future__ import annotations

import dataclasses
import re

import pytest

from model.detector import DetectorConfig
from model.footage import DEFAULT_FPS
from tests.service.command_line import framewatch, misused
from training.settings import PIXELS_SIZE, SEED_WINDOW, STEM_HEIGHT

TRAIN = ("train", "nowhere", "--out", "m.safetensors")
SCORE = ("score", "nowhere", "--model", "m.safetensors")
EVALUATE = ("evaluate", "nowhere", "--labels", "l.npz", "--model", "m.safetensors")


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "1e9", "ten"])
@pytest.mark.parametrize(
    ("words", "option"), [(TRAIN, "--fps"), (SCORE, "--fps"), (EVALUATE, "--fps"), (TRAIN, "--rate")]
)
def test_rates_are_frames_a_second(words: tuple[str, ...], option: str, value: str) -> None:
    assert f"Invalid value for '{option}'" in misused(*words, option, value)


@pytest.mark.parametrize(
    ("words", "option", "value"),
    [
        (TRAIN, "--size", "0"),
        (TRAIN, "--size", "100000"),
        (TRAIN, "--size", "12.5"),
        (TRAIN, "--window", "1"),
        (TRAIN, "--window", "1000"),
        (TRAIN, "--steps", "0"),
        (TRAIN, "--seed", "-1"),
        (TRAIN, "--seed", "9223372036854775808"),
        (TRAIN, "--smoothing", "-0.1"),
        (TRAIN, "--smoothing", "nan"),
        (TRAIN, "--alarms-per-hour", "0"),
        (TRAIN, "--alarms-per-hour", "inf"),
        (TRAIN, "--alarms-per-hour", "1e-300"),
        (TRAIN, "--threads", "0"),
        (TRAIN, "--encoder", "transformer"),
        (SCORE, "--align", "first"),
        (SCORE, "--smooth", "rolling"),
        (SCORE, "--smooth", "gaussian:0"),
        (SCORE, "--smooth", "median:3"),
        (SCORE, "--smooth", "rolling:nan"),
        (SCORE, "--normalize", "clip"),
        (SCORE, "--repair", "blur"),
        (SCORE, "--repair", ""),
        (SCORE, "--repair", "flip,none"),
        (SCORE, "--format", "xlsx"),
        (EVALUATE, "--corrupt", "-1"),
        (EVALUATE, "--corrupt", "yes"),
        (EVALUATE, "--repair", "blur"),
    ],
)
def test_values_out_of_range_are_named(words: tuple[str, ...], option: str, value: str) -> None:
    assert f"Invalid value for '{option}'" in misused(*words, option, value)


@pytest.mark.parametrize(
    ("more", "part"),
    [
        (["--out", "-", "--json"], "both --out - and --json write to standard output"),
        (["--template", "ids.csv"], "--template is for --format pixelplay"),
        (["--template", "ids.csv", "--format", "csv"], "--template is for --format pixelplay"),
        (["--plot", "p.png", "--normalize", "video"], "--plot draws the threshold, which --normalize ends"),
    ],
)
def test_options_that_contradict_each_other_are_refused(more: list[str], part: str) -> None:
    assert part in misused(*SCORE, *more)


DEFAULTS = {field.name: field.default for field in dataclasses.fields(DetectorConfig)}


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--fps", f"({DEFAULT_FPS:g} if not given)"),
        ("--size", f"if not given, {STEM_HEIGHT} (stem) or {PIXELS_SIZE} (pixels)"),
        ("--window", f"if not given, {DEFAULTS['window']} (stem) or {SEED_WINDOW} (pixels)"),
        ("--smoothing", f"if not given, {DEFAULTS['smoothing']}"),
    ],
)
def test_help_names_the_defaults_that_are_in_force(option: str, said: str) -> None:
    text = re.sub(r"\s+", " ", framewatch("train", "--help").out)
    assert said in text.partition(f" {option} ")[2].partition(" --")[0]
