"""The competition's table (Pixel Play '26): a number for every Id, and whether those are the Ids it asks for."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from model.listing import listed
from model.tables import WHOLE, Row, TableError, finite_scores, records


def write_pixelplay(rows: Iterable[Row], out: TextIO) -> list[str]:
    """Writes the competition's table `Id,Predicted` (Pixel Play '26), sorted by clip and frame number.

    Id is `clip_frame` without padding. Predicted is `smoothed`; a frame without it takes that of the nearest frame of
    its clip (not its `score`, which is on another scale where `smoothed` is normalised). A clip that has none takes
    `score` in the same way, or 0. Of every row, four numbers are held; nothing is written before all rows are good.

    Returns:
        The Ids as written, for `check_template`.

    Raises:
        TableError: for clip names that are no whole numbers (all are named), for a frame that comes twice, or for
            a number that is not finite.
    """
    clips, frames, values, scores = array("q"), array("q"), array("d"), array("d")
    named: dict[str, int | None] = {}
    for row in rows:
        if row.clip not in named:
            named[row.clip] = int(row.clip) if WHOLE.fullmatch(row.clip) else None
        number = named[row.clip]
        if number is None:
            continue
        _, score, smoothed = finite_scores(row)
        clips.append(number)
        frames.append(row.frame)
        values.append(math.nan if smoothed is None else smoothed)
        scores.append(math.nan if score is None else score)
    wrong = [name for name, number in named.items() if number is None]
    if wrong:
        raise TableError(
            "the competition's Ids need clips named by whole numbers, such as 01; these are not: "
            + ", ".join(map(repr, wrong))
        )
    order = np.lexsort((np.array(frames), np.array(clips)))
    clip, frame = np.array(clips)[order], np.array(frames)[order]
    value_of, score_of = np.array(values)[order], np.array(scores)[order]
    twice = np.flatnonzero((np.diff(clip) == 0) & (np.diff(frame) == 0))
    if len(twice):
        ids = dict.fromkeys(f"{clip[at]}_{frame[at]}" for at in twice)
        raise TableError(f"frames that come more than once: {listed(list(ids))}")
    for piece in np.split(np.arange(len(clip)), np.flatnonzero(np.diff(clip)) + 1):
        known = score_of if np.isnan(value_of[piece]).all() else value_of
        value_of[piece] = _nearest_known(frame[piece], known[piece])
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
        return "; ".join(f"{len(ids)} {kind}: {listed(ids)}" for kind, ids in parts if ids)


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
    for line, fields in records(template_path, ("Id",)):
        if not fields:  # a blank line, as editors leave at the end
            continue
        if not fields[0]:
            raise TableError(f"{template_path}, line {line}: no Id")
        template[fields[0]] = None
    return TemplateReport(
        missing=tuple(name for name in template if name not in written),
        extra=tuple(name for name in written if name not in template),
    )


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
