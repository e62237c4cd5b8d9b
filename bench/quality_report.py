"""`docs/quality.md`: the figures of a quality run as Markdown."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.machine import Host
from bench.other_footage import StreetResult, UnlabelledResult
from bench.ped2 import Ped2Result, WholeFramesResult
from training.coverage import LIMIT
from training.report import TrainReport

NOTES = "quality-notes.md"
"""Beside the report: written by hand, and taken over at its end."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A row of the main table.

    Attributes:
        name: what is measured.
        target: the least that is asked for, and the aim, in words; "" where there is none.
        value: of one seed; None where the footage cannot tell.
        digits: after the point.
        least, most: the bound that the target means, for the mean over the seeds.
        headline: whether the README has it too.
    """

    name: str
    target: str
    value: Callable[[Ped2Result], float | None]
    digits: int = 3
    least: float | None = None
    most: float | None = None
    headline: bool = False

    def cells(self, results: Sequence[Ped2Result]) -> tuple[str, str, str, str, str]:
        """Name, target, mean and spread of the seeds, and whether the target is met."""
        values = [value for result in results if (value := self.value(result)) is not None]
        if not values:
            return self.name, self.target, "–", "–", ""
        mean = statistics.mean(values)
        spread = f"{min(values):.{self.digits}f} to {max(values):.{self.digits}f}" if len(values) > 1 else "one seed"
        return self.name, self.target, f"{mean:.{self.digits}f}", spread, self._verdict(mean)

    def _verdict(self, mean: float) -> str:
        if self.least is None and self.most is None:
            return ""
        met = (self.least is None or mean >= self.least) and (self.most is None or mean <= self.most)
        return "yes" if met else "**no**"


MEASURES = (
    Measure(
        "causal, micro ROC-AUC", "0.965 (aim 0.985)", lambda r: r.clean.causal.micro_auc, least=0.965, headline=True
    ),
    Measure(
        "causal, macro ROC-AUC", "0.975 (aim 0.99)", lambda r: r.clean.causal.macro_auc, least=0.975, headline=True
    ),
    Measure(
        "offline (centred, Gaussian of 1 s), micro ROC-AUC",
        "0.975 (aim 0.99)",
        lambda r: r.clean.offline.micro_auc,
        least=0.975,
        headline=True,
    ),
    Measure("offline, macro ROC-AUC", "", lambda r: r.clean.offline.macro_auc),
    Measure("causal, AP", "", lambda r: r.clean.causal.ap),
    Measure("causal, EER (lower is better)", "", lambda r: r.clean.causal.eer),
    Measure("heat maps, pixel ROC-AUC", "0.90", lambda r: r.clean.pixel_auc, least=0.90, headline=True),
    Measure("test frames corrupted, causal, micro ROC-AUC", "", lambda r: r.corrupted.causal.micro_auc),
    Measure("what corruption costs (causal, micro)", "at most 0.02", lambda r: _cost(r), most=0.02, headline=True),
    Measure(
        "training, all included, seconds",
        "under 300",
        lambda r: r.training_seconds,
        digits=0,
        most=300.0,
        headline=True,
    ),
    Measure(
        "scoring, decode to CSV, frames/s", "120 (aim 200) in bfloat16", lambda r: r.frames_per_second, 0, least=120.0
    ),
)


@dataclass(frozen=True, slots=True)
class QualityRun:
    """Everything that a run measured.

    Attributes:
        command: that repeats it.
        date: ISO 8601, UTC.
        host: the machine.
        quick: with little footage and few steps: the figures only show that it runs.
        ped2: a result a seed.
        whole_frames: a result a seed.
        unlabelled: of footage without labels.
        street: a result a seed.
    """

    command: str
    date: str
    host: Host
    quick: bool
    ped2: Sequence[Ped2Result] = ()
    whole_frames: Sequence[WholeFramesResult] = ()
    unlabelled: Sequence[UnlabelledResult] = ()
    street: Sequence[StreetResult] = ()


def markdown(run: QualityRun, notes: str) -> str:
    """The whole page.

    Args:
        run: what was measured.
        notes: the section written by hand, taken over as it is.
    """
    parts = [
        "# Quality",
        f"Measured by `{run.command}` on {run.date}. {run.host}. This page is written by that command"
        + (f"; only its last part, [{NOTES}]({NOTES}), is written by hand." if notes else "."),
    ]
    if run.quick:
        parts.append("**A quick run**, with little footage and few steps: the figures only show that it runs.")
    if run.ped2:
        parts += _ped2(run.ped2)
    if run.whole_frames:
        parts += _whole_frames(run.whole_frames)
    if run.unlabelled:
        parts += _unlabelled(run.unlabelled)
    if run.street:
        parts += _street(run.street)
    parts += _self_tests(run)
    if notes:
        parts.append(notes.strip())
    return "\n\n".join(parts) + "\n"


def put_headline(readme: str, results: Sequence[Ped2Result]) -> str:
    """The README with the main table's rows that can be told without its explanations.

    Raises:
        ValueError: it has no table to put them at the place of.
    """
    cells = [measure.cells(results) for measure in MEASURES if measure.headline]
    table = _table(
        ("UCSD Ped2", _mean_of(results), "lowest to highest"),
        [_row(name, mean, spread) for name, _target, mean, spread, _met in cells],
    )
    put, count = re.subn(r"(?m)^\| UCSD Ped2 .*\n(?:\|.*\n)+", lambda _: table + "\n", readme)
    if not count:
        raise ValueError("no table that begins with | UCSD Ped2")
    return put


def _ped2(results: Sequence[Ped2Result]) -> list[str]:
    clean = results[0].clean
    rate = "" if clean.base_rate is None else f" Base rate of abnormal frames: {clean.base_rate:.3f}."
    skipped = f" Macro is over {clean.clips - len(clean.skipped_clips)} of {clean.clips} clips"
    skipped += f": {', '.join(clean.skipped_clips)} have one class." if clean.skipped_clips else "."
    table = _table(
        ("measure", "at least", _mean_of(results), "lowest to highest", "met"),
        [_row(*measure.cells(results)) for measure in MEASURES],
    )
    return [
        "## UCSD Ped2",
        "Trained on its normal clips with the default settings, measured on its test clips "
        f"({clean.frames} frames). `causal` is the live chain: no look ahead, no per-video normalisation.{rate}"
        f"{skipped} Corrupted: 10 % of the test frames on their head, 40 % with noise of ±35, fixed seed, scored with "
        "`--repair flip,noise`.",
        table,
        "At the checkpoint's own threshold, which comes from held-out normal clips alone:",
        _table(
            (
                "seed",
                "events found",
                "false alarms",
                "normal footage",
                "an hour (95 % bounds)",
                "median delay",
            ),
            [_events(result) for result in results],
        ),
    ]


def _mean_of(results: Sequence[Ped2Result]) -> str:
    return f"mean of seeds {', '.join(str(result.seed) for result in results)}"


def _whole_frames(results: Sequence[WholeFramesResult]) -> list[str]:
    rows = [
        _row(str(r.seed), *(_figure(f) for f in (r.causal.micro_auc, r.causal.macro_auc, r.per_video.micro_auc)))
        for r in results
    ]
    return [
        "## UCSD Ped2, whole frames",
        "`--encoder pixels`: raw pixels of 64×64, where this project started; ROC-AUC on the same clips. Stretching "
        "each clip to 0..1 by its own minimum and maximum looks ahead, and no live stream can do it.",
        _table(("seed", "causal micro", "causal macro", "micro, per-video min-max"), rows),
    ]


def _cost(result: Ped2Result) -> float | None:
    clean, corrupted = result.clean.causal.micro_auc, result.corrupted.causal.micro_auc
    return None if clean is None or corrupted is None else clean - corrupted


def _events(result: Ped2Result) -> str:
    events = result.clean.events
    rate, bounds = events.false_alarms_per_hour, events.false_alarms_per_hour_95
    hour = "–" if rate is None or bounds is None else f"{rate:.1f} ({bounds[0]:.1f} to {bounds[1]:.1f})"
    delay = "–" if events.median_delay_s is None else f"{events.median_delay_s:.1f} s"
    found = f"{events.detected} of {events.events}"
    footage = f"{events.normal_minutes:.2f} min"
    return _row(str(result.seed), found, str(events.false_alarms), footage, hour, delay)


def _unlabelled(results: Sequence[UnlabelledResult]) -> list[str]:
    rows = [
        _row(
            r.name,
            str(r.report.clips + len(r.report.held_out_clips)),
            f"{r.report.minutes:.1f}",
            f"{r.training_seconds:.0f}",
            str(r.frames),
            f"{r.anomalous / max(1, r.frames):.1%}",
        )
        for r in results
    ]
    return [
        "## Footage without labels",
        "Normal clips, trained on with the same default settings and scored again (seed 0). Few frames should be "
        "flagged, and a high share of them says that the footage does not cover its scene.",
        _table(("footage", "clips or stretches", "minutes", "training, s", "frames scored", "flagged"), rows),
    ]


def _street(results: Sequence[StreetResult]) -> list[str]:
    rows = []
    for r in results:
        m = r.metrics
        found = f"{m.events.detected} of {m.events.events}"
        alarms = f"{m.events.false_alarms} in {m.events.normal_minutes:.1f} min"
        figures = (m.causal.micro_auc, m.causal.macro_auc, m.offline.micro_auc, m.pixel_auc)
        rows.append(_row(str(r.seed), *(_figure(f) for f in figures), found, alarms, f"{r.training_seconds:.0f}"))
    columns = ("seed", "causal micro", "causal macro", "offline micro", "pixel", "events found", "false alarms")
    return [
        "## The drawn street",
        "The demo's footage (`training/scene.py`), drawn anew for each seed; ROC-AUC on unseen clips.",
        _table((*columns, "training, s"), rows),
    ]


def _self_tests(run: QualityRun) -> list[str]:
    """The label-free figures of every training run side by side."""
    named = [(f"Ped2, seed {r.seed}", r.report) for r in run.ped2]
    named += [(r.name, r.report) for r in run.unlabelled]
    named += [(f"drawn street, seed {r.seed}", r.report) for r in run.street]
    kinds = list(dict.fromkeys(test.kind for _, report in named for test in report.self_test))
    if not kinds:
        return []
    return [
        "## Self-test and coverage",
        "Held-out normal clips made abnormal on purpose: episodes caught at the checkpoint's own threshold, and "
        "ROC-AUC against the same clips as they are. No labels are needed; settings are chosen by these. Coverage is "
        f"the spread between held-out clips over the spread within them: over {LIMIT:g} means that more footage is "
        "needed.",
        _table(("footage", *kinds, "coverage"), [_self_test(name, report, kinds) for name, report in named]),
    ]


def _self_test(name: str, report: TrainReport, kinds: Sequence[str]) -> str:
    by_kind = {test.kind: test for test in report.self_test}
    cells = []
    for kind in kinds:
        test = by_kind.get(kind)
        cells.append("–" if test is None else f"{test.caught} of {test.episodes}, {_figure(test.auc)}")
    ratio = report.coverage.ratio
    return _row(name, *cells, "–" if ratio is None else f"{ratio:.1f}")


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _table(header: Sequence[str], rows: Sequence[str]) -> str:
    return "\n".join([_row(*header), _row(*("---" for _ in header)), *rows])


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"
