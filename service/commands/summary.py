"""What a scoring run comes to, in a few lines and as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field

from model.frames import Repair
from model.states import State
from model.tables import Row


@dataclass(slots=True)
class Summary:
    """Counts of one run.

    Attributes:
        clips, frames: scored, or given a row at least.
        seconds: of scoring, end to end: decoding, scores and table.
        repeated: frames thinned out because the footage is faster than the model; they repeat the last score.
        flipped: frames that flip repair turned.
        skipped: frames and files left out because they cannot be read or do not fit the model.
        anomalous: frames in the state `anomalous`.
        alarms: how often that state began.
        unscored: frames without any score, and the reasons, counted.
        peak: the row of the highest `smoothed`.
    """

    clips: int = 0
    frames: int = 0
    seconds: float = 0.0
    repeated: int = 0
    flipped: int = 0
    skipped: int = 0
    anomalous: int = 0
    alarms: int = 0
    unscored: dict[str, int] = field(default_factory=dict)
    peak: Row | None = None
    _last: tuple[str, State] | None = None

    def add(self, row: Row) -> None:
        """Counts the next row of the table."""
        self.frames += 1
        if row.state is State.ANOMALOUS:
            self.anomalous += 1
            self.alarms += self._last != (row.clip, State.ANOMALOUS)
        self._last = row.clip, row.state
        if row.score is None:
            self.unscored[row.reason] = self.unscored.get(row.reason, 0) + 1
        if row.smoothed is not None and (self.peak is None or row.smoothed > (self.peak.smoothed or 0.0)):
            self.peak = row

    @property
    def frames_per_second(self) -> float | None:
        return self.frames / self.seconds if self.seconds > 0 else None

    def lines(self, repair: Repair, *, normalized: bool) -> list[str]:
        """What a person wants to know.

        Args:
            repair: which repairs were on.
            normalized: `smoothed` was normalised, so that the threshold says nothing about it.
        """
        rate = "" if self.frames_per_second is None else f" ({self.frames_per_second:.0f} frames/s)"
        lines = [f"{counted(self.clips, 'clip')}, {counted(self.frames, 'frame')} in {self.seconds:.1f} s{rate}"]
        if self.skipped:
            lines.append(f"{self.skipped} frames or files that cannot be used were left out")
        if self.repeated:
            repeat = "repeats" if self.repeated == 1 else "repeat"
            lines.append(
                f"{counted(self.repeated, 'frame')} {repeat} the last score: the footage is faster than the model"
            )
        for reason, count in self.unscored.items():
            lines.append(f"{counted(count, 'frame')} without a score: {reason or 'no window was full'}")
        if repair.flip:
            lines.append(f"flip repair turned {counted(self.flipped, 'frame')}")
        if self.peak is not None:
            peak = self.peak
            threshold = "" if normalized else " (the threshold is 0.5)"
            lines.append(
                f"highest: {peak.smoothed:.3f}{threshold} in clip {peak.clip}, frame {peak.frame}, at {peak.time:.1f} s"
            )
            lines.append(
                f"{counted(self.alarms, 'alarm')}, {counted(self.anomalous, 'frame')} anomalous"
                if self.alarms
                else "no alarm"
            )
        elif self.frames and not self.unscored:
            lines.append("nothing could be judged: no clip is as long as a window")
        return lines

    def to_json(self) -> dict[str, object]:
        """The same, for `json.dumps`."""
        peak = self.peak
        return {
            "clips": self.clips,
            "frames": self.frames,
            "seconds": self.seconds,
            "frames_per_second": self.frames_per_second,
            "repeated": self.repeated,
            "flipped": self.flipped,
            "skipped": self.skipped,
            "unscored": sum(self.unscored.values()),
            "anomalous": self.anomalous,
            "alarms": self.alarms,
            "peak": None
            if peak is None
            else {"clip": peak.clip, "frame": peak.frame, "time": peak.time, "smoothed": peak.smoothed},
        }


def counted(number: float, what: str) -> str:
    """`1 clip`, `2 clips`."""
    return f"{number:g} {what}{'' if number == 1 else 's'}" if number < 1e5 else f"{number:.0f} {what}s"
