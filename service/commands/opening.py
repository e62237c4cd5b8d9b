"""What most verbs begin with: outputs that can be written, footage, a detector on its device."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from model.atomic import real_path
from model.checkpoint import Checkpoint, bundled, load
from model.clips import Clip, FolderClip
from model.deep_pictures import bits_used
from model.detector import Precision
from model.device import choose_device, choose_precision
from model.footage import DEFAULT_FPS, PICTURES, VIDEOS, Footage, open_footage
from model.listing import listed
from model.workers import Workers
from service.faults import InputError
from service.progress import Reporter

DEMO = Path("demo")
"""What a user gives as a model to get the one that ships with framewatch; no file is meant by it."""


def find_model(path: Path) -> Path:
    """The checkpoint that a user means.

    Raises:
        CheckpointError: the demo model is meant, and this installation lacks it.
    """
    return bundled() if path == DEMO else path


@dataclass(frozen=True, slots=True)
class Machine:
    """What the user asked to compute on.

    Attributes:
        device: auto, cpu, cuda or cuda:N.
        precision: auto, float32, bfloat16 or float16.
        threads: CPU threads that frames are shared out to; None: one a core.
    """

    device: str = "auto"
    precision: str = "auto"
    threads: int | None = None

    def start(self, *, learning: bool = False) -> tuple[torch.device, Precision]:
        """Device and number format, for scoring or for `learning`.

        Raises:
            DeviceError: a device that is not there, or a format that it does not have.
        """
        device = choose_device(self.device)
        return device, choose_precision(self.precision, device, learning=learning)

    def load(self, path: Path) -> Checkpoint:
        """A checkpoint whose detector is ready to score.

        Raises:
            CheckpointError, DeviceError
        """
        device, precision = self.start()
        checkpoint = load(path, device=device)
        checkpoint.detector.with_precision(precision).with_workers(Workers.for_device(device, self.threads))
        return checkpoint


def open_clips(paths: Sequence[Path], fps: float | None, reporter: Reporter) -> Footage:
    """Opens footage, and says once what was passed over, what is dark, and which frame rate was assumed.

    Raises:
        FootageError: see `model.footage.open_footage`.
    """
    footage = open_footage(paths, fps=fps)
    if footage.passed_over:
        reporter.say(
            f"not read: {listed(footage.passed_over)}; unpack archives (a zip may be given by itself), and convert "
            "other videos to MP4"
        )
    _say_what_is_dark(footage.clips, reporter)
    if footage.fps_assumed:
        reporter.say(f"numbered pictures are taken as {DEFAULT_FPS:g} frames a second; if they are not, give --fps")
    return footage


def _say_what_is_dark(clips: Iterable[Clip], reporter: Reporter) -> None:
    for clip in clips:
        if isinstance(clip, FolderClip) and (bits := bits_used(clip)) is not None:
            reporter.say(
                f"clip {clip.name}: pictures of 16 bits use only the lowest {bits}, and are taken as the dark "
                "pictures that they are then; scale them to 16 bits, or convert them to 8"
            )
            return  # the others are most likely of the same sensor


def check_outputs(outputs: Mapping[str, Path | None], inputs: Iterable[Path]) -> None:
    """Refuses, before any work is done, what could not be written, and what would overwrite an input.

    Args:
        outputs: files to write, by the option that names them.
        inputs: files and folders that the command reads.

    Raises:
        InputError: naming the option.
    """
    read = {real_path(path) for path in inputs}
    taken: dict[Path, str] = {}
    for option, path in outputs.items():
        if path is None:
            continue
        _check_output(option, path)
        target = real_path(path)
        folder = _above(target, read) if _is_footage(target) else None
        if target in read or (path.exists() and folder is not None):
            raise InputError(f"{option} {path} would overwrite what is read: give another name")
        if folder is not None:  # the next run would take it for a frame
            raise InputError(f"{option} {path} would lie among the footage in {folder}: give another folder")
        if target in taken:
            raise InputError(f"{option} and {taken[target]} are both {path}: give two names")
        taken[target] = option


def check_plot(path: Path | None) -> None:
    """Refuses a name whose ending promises another kind of picture than is drawn.

    Raises:
        InputError
    """
    if path is not None and path.suffix.lower() not in ("", ".png"):
        raise InputError(f"--plot {path}: a plot is a PNG; give a name that ends in .png")


def _check_output(option: str, path: Path) -> None:
    if path.is_dir():
        raise InputError(f"{option} {path} is a folder: give the name of a file in it")
    if path.exists() and not path.is_file():
        return  # a device or a pipe
    folder = real_path(path).parent
    if not folder.exists():
        raise InputError(f"{option} {path}: there is no folder {folder}; make it first")
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{option} {path}: {folder} cannot be written to; give a file in another folder")


def _is_footage(path: Path) -> bool:
    return path.suffix.lower() in PICTURES | VIDEOS


def _above(path: Path, inputs: Iterable[Path]) -> Path | None:
    """The input folder that a resolved path is, or lies in."""
    return next((folder for folder in inputs if folder.is_dir() and path.is_relative_to(folder)), None)


def make_folder(option: str, path: Path, clips: Iterable[Clip], inputs: Iterable[Path]) -> None:
    """Makes a folder for many files, one folder a clip in it, where it is missing.

    Args:
        option: that names it.
        path: the folder.
        clips: the clips that get a folder in it.
        inputs: files and folders that the command reads.

    Raises:
        InputError: it cannot be made or written to, or pictures in it would mix with the footage.
    """
    read = {real_path(place) for place in inputs}
    for place in (path, *(path / clip.name for clip in clips)):
        if (folder := _above(real_path(place), read)) is not None:
            raise InputError(f"{option} {path} would write pictures into the footage in {folder}: give another folder")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise InputError(f"{option} {path} is a file: give a folder") from None
    except OSError as error:
        raise InputError(f"{option} {path}: cannot be made ({error.strerror})") from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise InputError(f"{option} {path} cannot be written to; give another folder")
