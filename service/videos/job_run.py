"""One job: how it is to be scored, and its scoring from the files on disk to the rows in the store."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from model.frames import Repair
from model.offline import Align, Offline
from model.scoring import ClipScorer
from model.smoothing import Normalization, parse_smoothing
from model.tables import Row
from service.models import Model
from service.records import Job
from service.scorer import Scorer
from service.store.jobs import JobTable
from service.videos.clips import EngineFrames
from service.videos.sandbox import DecodeLimits, DecodeOptions, Decoding, Upload, decode_in_child
from service.videos.sandbox_clips import clips_of

_ROWS = 500  # stored at once
_NEWS = 0.5  # seconds between two words about the progress


@dataclass(frozen=True, slots=True)
class JobOptions:
    """How a job is scored, as a client gives it; checked when it is made.

    Attributes:
        smooth: `rolling:SECONDS`, `gaussian:SECONDS` or `none`; None: the model's own.
        normalize: see `model.offline.Offline`.
        align: see there.
        repair: `none`, or some of `flip,noise`.
        fps: frames a second of numbered pictures.
        model: name; None: the active one when the job begins.
        skip_bad: leave out frames and files that cannot be read.
    """

    smooth: str | None = None
    normalize: Normalization = "none"
    align: Align = "last"
    repair: str = "noise"
    fps: float | None = None
    model: str | None = None
    skip_bad: bool = False

    def __post_init__(self) -> None:
        self.offline()
        Repair.parse(self.repair)
        if self.fps is not None and not 1 / 3600 <= self.fps <= 1000:
            raise ValueError(f"fps {self.fps}: expected frames a second, from one an hour (0.000278) to 1000")

    def offline(self) -> Offline:
        return Offline(self.align, None if self.smooth is None else parse_smoothing(self.smooth), self.normalize)


class JobRun:
    """The scoring of one job. Only `interrupt` is for other threads."""

    def __init__(
        self,
        job: Job,
        folder: Path,
        *,
        model: Model,
        scorer: Scorer,
        store: JobTable,
        limits: DecodeLimits,
        check: Callable[[], object],
        note: Callable[[float, int], object],
    ) -> None:
        """Makes it.

        Args:
            job: what is scored.
            folder: where its files lie.
            model: scores it.
            scorer: the engine.
            store: where its rows go.
            limits: of decoding.
            check: asked before each frame; raises when the job is to end.
            note: told of progress, from 0 to 1, and of frames scored.
        """
        self._job = job
        self._folder = folder
        self._model = model
        self._scorer = scorer
        self._store = store
        self._limits = limits
        self._check = check
        self._note = note
        self._options = JobOptions(**job.options)
        self._decoding: Decoding | None = None

    def interrupt(self) -> None:
        """Ends the decoding; `score` then raises."""
        decoding = self._decoding
        if decoding is not None:
            decoding.close()

    def score(self) -> int:
        """Scores every frame and stores the rows; gives how many there are.

        Raises:
            FootageError, PictureSizeError, ScorerError: it cannot be scored.
            Exception: what `check` raises.
        """
        uploads = [Upload(self._folder / str(n), name) for n, name in enumerate(self._job.files)]
        config = self._model.detector.config
        decode = DecodeOptions(self._options.fps, config.colour, self._options.skip_bad)
        with decode_in_child(uploads, decode, self._limits) as decoding:
            self._decoding = decoding
            try:
                rows = self._live_rows(decoding)
                offline = self._options.offline()
                return self._keep(rows if offline.live else offline.apply(rows, config))
            finally:
                self._decoding = None

    def _live_rows(self, decoding: Decoding) -> Iterator[Row]:
        scorer = ClipScorer(
            self._model.detector,
            repair=Repair.parse(self._options.repair),
            smoothing=self._options.offline().seconds,
            frames=EngineFrames(self._scorer, self._model),
        )
        totals = [clip.frames for clip in decoding.clips]
        total = sum(filter(None, totals)) if all(totals) else None
        done, said = 0, 0.0
        for clip in clips_of(decoding):
            with closing(scorer.score(clip)) as scored_frames:
                for scored in scored_frames:
                    self._check()
                    done += 1
                    if time.monotonic() - said > _NEWS:
                        said = time.monotonic()
                        self._note(0.0 if total is None else min(done / total, 0.99), done)
                    yield scored.row

    def _keep(self, rows: Iterator[Row]) -> int:
        count = 0
        held: list[Row] = []
        for row in rows:
            held.append(row)
            if len(held) == _ROWS:
                self._store.put_rows(self._job.id, held)
                count += len(held)
                held = []
        self._check()
        self._store.put_rows(self._job.id, held)
        return count + len(held)
