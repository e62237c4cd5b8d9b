"""The demo's folder: known by a manifest, so that an older demo can be replaced and nothing else ever is."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path, PurePath

from model.atomic import open_atomic

MANIFEST = "demo.json"
FOOTAGE = "footage"
_MOST = 100_000


@dataclass(frozen=True, slots=True)
class Drawn:
    """How much footage a demo draws.

    Attributes:
        train_clips: clips to learn from.
        train_frames: frames in each.
        test_clips: clips to score.
        test_frames: frames in each.
    """

    train_clips: int
    train_frames: int
    test_clips: int
    test_frames: int

    @property
    def total(self) -> int:
        """Frames of all clips."""
        return self.train_clips * self.train_frames + self.test_clips * self.test_frames

    def files(self) -> set[PurePath]:
        """The files that `write_footage` writes, seen from its folder."""
        files = {PurePath("labels.npz")}
        for split, clips, frames in (
            ("train", self.train_clips, self.train_frames),
            ("test", self.test_clips, self.test_frames),
        ):
            for clip in range(1, clips + 1):
                files |= {PurePath(split, f"{clip:02d}", f"frame_{number:05d}.jpg") for number in range(frames)}
        for clip in range(1, self.test_clips + 1):
            files |= {PurePath("masks", f"{clip:02d}", f"{number:05d}.png") for number in range(self.test_frames)}
        return files


class DemoError(Exception):
    """The demo cannot run here; the message says what to do."""


def prepare(out: Path, drawn: Drawn) -> None:
    """Makes the folder, or clears an older demo's footage out of it.

    Args:
        out: the demo's folder.
        drawn: what will be drawn into it.

    Raises:
        DemoError: it holds what is not the demo's; nothing was removed.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise DemoError(f"{out} is a file: give another folder with --out") from None
    except OSError as error:
        raise DemoError(f"{out} cannot be made ({error.strerror}): give another folder with --out") from error
    manifest = out / MANIFEST
    if manifest.is_file():
        _clear(out, _read(manifest))
    elif any(out.iterdir()):
        raise DemoError(f"{out} holds files that are not the demo's: give another folder with --out")
    # Written first: an interrupted demo is known as one, and can be started anew.
    document = {"made_by": "framewatch demo", "footage": dataclasses.asdict(drawn)}
    try:
        with open_atomic(manifest) as file:
            file.write(json.dumps(document) + "\n")
    except OSError as error:
        raise DemoError(f"{out} cannot be written to ({error.strerror}): give another folder with --out") from error


def _read(manifest: Path) -> Drawn:
    try:
        document = json.loads(manifest.read_text(encoding="utf-8"))
        if document["made_by"] != "framewatch demo":
            raise ValueError(document["made_by"])
        drawn = Drawn(**{name: int(count) for name, count in document["footage"].items()})
        if not 0 <= drawn.total <= _MOST:
            raise ValueError(drawn.total)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DemoError(f"{manifest} is not the demo's: remove it, or give another folder with --out") from error
    return drawn


def _clear(out: Path, drawn: Drawn) -> None:
    """Removes the files that a demo of so many frames drew; refuses, before it removes any, if others are there."""
    footage = out / FOOTAGE
    if footage.is_symlink():
        raise DemoError(
            f"{footage} is a link, which the demo never makes: remove it, or give another folder with --out"
        )
    known = drawn.files()
    present: list[Path] = []
    folders: list[Path] = []
    for where, inner, names in os.walk(footage):
        folders.append(Path(where))
        # os.walk lists a link to a folder as a folder; the demo makes no links
        present += [Path(where, name) for name in [*names, *(n for n in inner if Path(where, n).is_symlink())]]
    for path in present:
        if path.relative_to(footage) not in known:
            raise DemoError(f"{path} is not the demo's: move it away, or give another folder with --out")
    for path in present:
        path.unlink()
    for folder in reversed(folders):
        folder.rmdir()
