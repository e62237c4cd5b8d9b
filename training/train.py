"""Normal footage -> checkpoint: the whole of `framewatch train`."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from model.atomic import open_atomic
from model.checkpoint import Checkpoint, Provenance, save
from model.clips import Clip, frame_total
from model.detector import Calibration, Detector, DetectorConfig, Precision
from model.encoder import StemEncoder
from model.footage import Footage
from model.progress import Progress
from model.workers import Workers, available_cores, torch_threads
from training.calibrate import calibrate
from training.corrupt import Noisy
from training.coverage import Coverage, coverage
from training.fit import Fit, FitSettings, fit
from training.held_out import held_out_scores
from training.log import TrainLog
from training.plots import plot_loss
from training.report import TrainReport
from training.selftest import SelfTest, self_test
from training.settings import TrainError, TrainSettings, configure
from training.split import Split, split
from training.survey import Survey, survey
from training.weights import load_stem
from training.whiten import fit_error_weight, fit_whitening
from training.windows import MOST, Reservoir, collect

Say = Callable[[str], None]

FEWEST_WINDOWS = 64
SEED_BATCH = 32  # windows of whole frames are large
BAD_SHOWN = 20


def train(
    footage: Footage,
    out: Path,
    settings: TrainSettings,
    *,
    device: torch.device,
    precision: Precision,
    threads: int | None = None,
    skip_bad: bool = False,
    resume: bool = False,
    command: str = "",
    say: Say,
    progress: Progress,
) -> TrainReport:
    """Learns what normal looks like and writes the checkpoint, its log, its loss curve and its report.

    Args:
        footage: normal clips of one camera.
        out: the checkpoint to write; the other files stand beside it under its stem.
        settings: what the user chose.
        device: where to compute.
        precision: the encoder's number format.
        threads: CPU threads that frames are shared out to; None: one a core.
        skip_bad: leave out frames that cannot be read instead of refusing.
        resume: go on with an interrupted fit of the same footage and settings.
        command: the command line, for the record.
        say: called with what the user should know on the way.
        progress: shows how far it is.

    Raises:
        FootageError: the footage cannot be read or is not of one camera.
        TrainError: nothing to learn from.
        ResumeError: the interrupted fit is of other footage or settings.
        CheckpointError: `out` cannot be written.
    """
    started = time.monotonic()
    torch.manual_seed(settings.seed)
    found = survey(footage.clips, skip_bad=skip_bad, progress=progress)
    for line in found.bad[:BAD_SHOWN]:
        say(f"left out: {line}")
    if len(found.bad) > BAD_SHOWN:
        say(f"left out: {len(found.bad) - BAD_SHOWN} more")
    config = configure(settings, found)
    detector = Detector(config)
    if isinstance(detector.encoder, StemEncoder):
        load_stem(detector.encoder)
    detector.reference.copy_(torch.from_numpy(found.reference))
    detector.to(device).with_precision(precision).with_workers(Workers.for_device(device, threads))
    parts = _split(found, config, settings.seed, say)
    with _open_log(out.with_suffix(".log.jsonl"), goes_on=resume and partial_checkpoint(out).exists()) as log:
        log.write("start", command=command, config=dataclasses.asdict(config), frames=found.frames)
        windows, held_out = _collect(detector, parts, found, settings, progress)
        log.write("windows", learned=len(windows), seen=windows.seen, held_out=len(held_out))
        with torch_threads(threads or available_cores()):
            fitted = _fit(
                detector, windows, held_out, settings, out, resume=resume, log=log, say=say, progress=progress
            )
        if fitted.interrupted:
            say("interrupted: the best so far gets its threshold and is tested; Ctrl-C again ends at once")
        plot_loss(out.with_suffix(".loss.png"), fitted.history)
        with progress("calibrating", frame_total(parts.held_out)) as tick:
            stretches = held_out_scores(detector, parts.held_out, on_frame=lambda: tick(1))
        calibration = calibrate(
            [stretch for clip in stretches.values() for stretch in clip],
            config,
            alarms_per_hour=settings.alarms_per_hour,
            precision=precision,
        )
        detector.theta.fill_(calibration.theta)
        tests = _self_test(detector, parts, settings, progress)
        report = _report(
            found, config, parts, windows, fitted, calibration, tests, coverage(stretches), time.monotonic() - started
        )
        log.write("end", **report.to_json())
        provenance = Provenance(command, training=report.to_json())
        save(out, Checkpoint(detector.with_precision("float32"), calibration, provenance))
    with open_atomic(out.with_suffix(".report.txt")) as file:
        file.write(report.text() + "\n")
    if not fitted.interrupted:
        partial_checkpoint(out).unlink(missing_ok=True)
    return report


def _split(found: Survey, config: DetectorConfig, seed: int, say: Say) -> Split:
    """Clips to learn from and to hold out; what is unusual about it is said."""
    spans = [(0.0, clip.seconds) if clip.jumps else (clip.start, clip.stop) for clip in found.surveys]
    jumping = {clip.name: clip.frames for clip in found.surveys if clip.jumps}
    shortest = 2 * config.window * config.frame_interval
    parts = split(found.clips, spans, jumping, seed=seed, shortest=shortest)
    count = len(parts.train) + len(parts.held_out)
    if parts.train == parts.held_out:
        say("one short clip: it is learned from and calibrated on alike; the threshold will be too low")
    elif count > len(found.clips):
        few = "1 clip is" if len(found.clips) == 1 else f"{len(found.clips)} clips are"
        say(f"{few} cut into {count} stretches, so that whole ones can be held out")
    return parts


def _collect(
    detector: Detector, parts: Split, found: Survey, settings: TrainSettings, progress: Progress
) -> tuple[Reservoir, Reservoir]:
    """Windows of the clips to learn from (and of a noisy copy), and of the held-out ones, whitened by nobody yet."""
    windows = Reservoir(MOST, np.random.default_rng([settings.seed, 2]))
    held_out = Reservoir(MOST // 10, np.random.default_rng([settings.seed, 3]))
    learned = frame_total(parts.train)
    passes: list[tuple[Sequence[Clip], Reservoir]] = [(parts.train, windows), (parts.held_out, held_out)]
    if settings.augment:
        passes.append(([Noisy(clip, settings.seed) for clip in parts.train], windows))
    total = None if learned is None else found.frames + (learned if settings.augment else 0)
    with progress("encoding", total) as tick:
        for clips, reservoir in passes:
            collect(detector, clips, reservoir, skip_bad=True, on_frame=lambda: tick(1))
    kind = " of moving cells" if detector.config.encoder == "stem" else ""
    if len(windows) >= FEWEST_WINDOWS and not len(held_out):
        names = ", ".join(clip.name for clip in parts.held_out[:BAD_SHOWN])
        raise TrainError(
            f"the clips that are held out ({names}) have no windows{kind}, so nothing can be judged by them: remove "
            "clips that are still or too short, or have others held out by another --seed"
        )
    if len(windows) < FEWEST_WINDOWS:
        raise TrainError(
            f"too little moves in this footage: {len(windows)} windows{kind} in {found.frames} frames "
            f"(clips shorter than {detector.config.window} frames have none); give more normal footage, with the "
            "traffic that the camera usually sees"
        )
    return windows, held_out


def partial_checkpoint(out: Path) -> Path:
    """Where a training keeps what it could go on from, beside the checkpoint that it is to write."""
    return out.with_suffix(".partial.safetensors")


def _fit(
    detector: Detector,
    windows: Reservoir,
    held_out: Reservoir,
    settings: TrainSettings,
    out: Path,
    *,
    resume: bool,
    log: TrainLog,
    say: Say,
    progress: Progress,
) -> Fit:
    if detector.whitening is not None:
        fit_whitening(detector.whitening, windows.windows)
    learn = _features(detector, windows)
    partial = partial_checkpoint(out)
    if not resume:
        partial.unlink(missing_ok=True)
    elif not partial.exists():
        say(f"nothing to resume ({partial.name} is not there): starting anew")
    chosen = FitSettings(seed=settings.seed)
    if settings.steps is not None:
        chosen = dataclasses.replace(chosen, steps=settings.steps)
    if detector.config.encoder == "pixels":
        chosen = dataclasses.replace(chosen, batch=SEED_BATCH, noise=0.0)
    with progress("learning", chosen.steps, "step") as tick:
        fitted = fit(
            detector.autoencoder,
            learn,
            _features(detector, held_out),
            chosen,
            resume=partial,
            on_step=lambda point: tick(1),
            on_look=lambda point: log.point(point),
            say=say,
        )
    if fitted.best.held_out is None or not math.isfinite(fitted.best.held_out):
        raise TrainError("training came to no finite error: please report this, with the log beside the checkpoint")
    if detector.config.encoder == "stem":
        fit_error_weight(detector, learn)
    return fitted


@torch.inference_mode()
def _features(detector: Detector, reservoir: Reservoir) -> torch.Tensor:
    parts = [detector.features(part.to(detector.device)).cpu() for part in torch.split(reservoir.windows, 8192)]
    return torch.cat(parts)


def _self_test(detector: Detector, parts: Split, settings: TrainSettings, progress: Progress) -> list[SelfTest]:
    if not settings.self_test:
        return []
    held = frame_total(parts.held_out)
    with progress("self-test", None if held is None else 3 * held + held // 2) as tick:
        return self_test(detector, parts.held_out, seed=settings.seed, skip_bad=True, on_frame=lambda: tick(1))


def _report(
    found: Survey,
    config: DetectorConfig,
    parts: Split,
    windows: Reservoir,
    fitted: Fit,
    calibration: Calibration,
    tests: list[SelfTest],
    covered: Coverage,
    seconds: float,
) -> TrainReport:
    return TrainReport(
        clips=len(parts.train),
        held_out_clips=[clip.name for clip in parts.held_out],
        frames=found.frames,
        minutes=found.seconds / 60,
        bad=len(found.bad),
        encoder=config.encoder,
        windows=windows.seen,
        steps=fitted.history[-1].step,
        best_step=fitted.best.step,
        loss=fitted.best.train,
        held_out_loss=fitted.best.held_out,
        calibration=calibration,
        self_test=tests,
        coverage=covered,
        seconds=seconds,
        interrupted=fitted.interrupted,
    )


def _open_log(path: Path, *, goes_on: bool) -> TrainLog:
    try:
        return TrainLog(path, goes_on=goes_on)
    except BlockingIOError:
        raise TrainError(f"another training writes {path} and the model beside it: give another --out") from None
    except OSError as error:
        raise TrainError(f"cannot write {path}: {error.strerror or error}") from error
