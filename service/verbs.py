"""The verbs of the command line: their options and help texts; `service.commands` does the work.

Nothing heavy is imported before a verb runs, so that `--help` and `--version` answer at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from service import options

COMMAND = "framewatch.command"
"""Where the context keeps the command line as it was typed."""

TRAIN_EXAMPLES = """\b
Examples:
  framewatch train normal/ --out model.safetensors
  framewatch train monday.mp4 tuesday.mp4 --out door.safetensors --rate 10
  framewatch train training_videos/ --out model.safetensors --fps 25 --skip-bad

\b
Beside FILE it writes FILE's name with .log.jsonl, .loss.png and .report.txt.
"""

LEARN_EXAMPLES = """\b
Examples:
  framewatch learn rtsp://user:password@10.0.0.5/live --for 30m --out door.safetensors
  framewatch learn 0 --for 10m

\b
Beside FILE it writes FILE's name with .log.jsonl, .loss.png and .report.txt.
"""

SCORE_EXAMPLES = """\b
Examples:
  framewatch score video.mp4 --model model.safetensors --plot timeline.png
  framewatch score framewatch-demo/footage/test --model demo --plot timeline.png
  framewatch score clips/ --model model.safetensors --out - --format jsonl | jq .smoothed
  framewatch score testing_videos/ --model model.safetensors --out submission.csv \\
      --format pixelplay --template row_ids.csv --repair flip,noise --smooth gaussian:1

\b
Columns: clip, frame, time (seconds), raw (error), score (0 to 1, 0.5 is the threshold),
smoothed (mean of the last seconds), state (warming, normal, anomalous).
"""

EVALUATE_EXAMPLES = """\b
Examples:
  framewatch evaluate test/ --labels labels.npz --model model.safetensors --plot evaluation.png
  framewatch evaluate test/ --labels masks/ --masks masks/ --model model.safetensors --json

\b
Labels: an .npz with one array of 0 and 1 a clip, folders of mask pictures, .mat files with masks,
or a CSV with the columns clip,frame,label or clip,start,end. Clips go by their names in the table
that `framewatch score` writes.
"""


def train(
    ctx: typer.Context,
    footage: options.Footage,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="Checkpoint to write (.safetensors). One that exists is replaced when training ends, not before.",
            show_default=False,
        ),
    ],
    fps: options.Fps = None,
    encoder: Annotated[
        Literal["stem", "pixels"],
        typer.Option(help="stem: CNN features of moving cells. pixels: the whole frame, which is far weaker."),
    ] = "stem",
    colour: Annotated[bool, typer.Option("--colour", help="Keep colour instead of luma.")] = False,
    size: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=16,
            max=2160,
            help="Height of the network's input in pixels; if not given, 240 (stem) or 64 (pixels).",
            show_default=False,
        ),
    ] = None,
    rate: options.Rate = None,
    window: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=2,
            max=256,
            help="Frames in a window; if not given, 8 (stem) or 10 (pixels).",
            show_default=False,
        ),
    ] = None,
    smoothing: options.SmoothingSeconds = None,
    alarms_per_hour: options.AlarmsPerHour = 1.0,
    steps: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Training steps, at most.", show_default=False)
    ] = None,
    seed: options.Seed = 0,
    augment: Annotated[
        bool, typer.Option("--augment/--no-augment", help="Also learn from a noisy copy of the footage.")
    ] = True,
    self_test: Annotated[
        bool,
        typer.Option("--self-test/--no-self-test", help="Try the model on held-out footage made abnormal on purpose."),
    ] = True,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    threads: options.Threads = None,
    skip_bad: options.SkipBad = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run of the same footage.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Learn what is normal from normal footage of one camera.

    All clips must show normal activity, from the camera that is to be watched. A fifth of them is held out: training
    stops by it, and the threshold comes from it. Ctrl-C keeps the best checkpoint so far.
    """
    from service.commands import opening
    from service.commands import train as verb
    from training.train import TrainSettings

    settings = TrainSettings(
        encoder=encoder,
        colour=colour,
        size=size,
        frame_interval=None if rate is None else 1 / rate,
        window=window,
        smoothing=smoothing,
        alarms_per_hour=alarms_per_hour,
        steps=steps,
        seed=seed,
        augment=augment,
        self_test=self_test,
    )
    machine = opening.Machine(device, precision, threads)
    verb.run(verb.Request(footage, out, fps, settings, machine, skip_bad, resume, json, ctx.meta[COMMAND]))


def learn(
    ctx: typer.Context,
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="The camera: a URL (rtsp, rtsps, http, https), the number of a webcam, or a video file.",
            show_default=False,
        ),
    ],
    duration: Annotated[
        str, typer.Option("--for", metavar="TIME", help="How much to record, such as 90s, 30m or 1h30m.")
    ] = "30m",
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="Checkpoint to write (.safetensors). One that exists is replaced when training ends, not before.",
        ),
    ] = Path("learned.safetensors"),
    device: options.Device = "auto",
    threads: options.Threads = None,
    json: options.Json = False,
) -> None:
    """Record a camera while all is normal, and learn from that.

    The footage is deleted when the checkpoint is written. A service learns its own streams while it scores them:
    POST /v1/streams/ID/learn.
    """
    from service.commands import learn as verb
    from service.commands import opening

    seconds = verb.parse_duration(duration)
    machine = opening.Machine(device, "float32", threads)
    verb.run(verb.Request(source, seconds, out, machine, json, ctx.meta[COMMAND]))


def score(
    footage: options.Footage,
    model: options.Model,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE|-",
            help="Table to write, - for standard output; if not given, scores.csv, scores.jsonl or submission.csv. "
            "It appears when all is scored; one that exists is replaced.",
            show_default=False,
        ),
    ] = None,
    format: Annotated[
        Literal["csv", "jsonl", "pixelplay"] | None,
        typer.Option(
            help="Format of the table; pixelplay is the competition's Id,Predicted. If not given, by FILE's ending.",
            show_default=False,
        ),
    ] = None,
    template: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="CSV of the Ids that a pixelplay table must have.", show_default=False),
    ] = None,
    fps: options.Fps = None,
    align: Annotated[
        Literal["last", "centre"],
        typer.Option(help="Which frame a window's score belongs to; centre looks ahead."),
    ] = "last",
    smooth: options.SmoothName = None,
    normalize: Annotated[
        Literal["none", "video", "global"],
        typer.Option(
            help="Stretch `smoothed` to 0..1 over each clip or over all; looks ahead, and 0.5 is no threshold then."
        ),
    ] = "none",
    repair: options.RepairNames = "noise",
    heatmaps: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write DIR/<clip>/<frame>.png: where the error is, as a small 16-bit gray picture; 1000 is the "
            "threshold.",
            show_default=False,
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Draw the scores over time as a PNG, with pictures of the peaks (no pictures with options that "
            "look ahead).",
            show_default=False,
        ),
    ] = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    threads: options.Threads = None,
    skip_bad: options.SkipBad = False,
    json: options.Json = False,
) -> None:
    """Score every frame of footage, of any length, in bounded memory.

    By default the scores are those of a live stream: a frame's score depends on nothing after it. Options that look
    ahead say so.
    """
    to_stdout = str(out) == "-"
    if json and to_stdout:
        raise typer.BadParameter("both --out - and --json write to standard output: leave one out")
    if template is not None and format != "pixelplay":
        raise typer.BadParameter("--template is for --format pixelplay")
    if plot is not None and normalize != "none":
        raise typer.BadParameter("--plot draws the threshold, which --normalize ends: leave one out")
    from model.frames import Repair
    from model.offline import Offline
    from model.smoothing import parse_smoothing
    from service.commands import opening
    from service.commands import score as verb

    target, name = verb.choose_format(out, format)
    verb.run(
        verb.Request(
            paths=footage,
            model=opening.find_model(model),
            out=target,
            format=name,
            fps=fps,
            offline=Offline(align, None if smooth is None else parse_smoothing(smooth), normalize),
            repair=Repair.parse(repair),
            heatmaps=heatmaps,
            plot=plot,
            template=template,
            machine=opening.Machine(device, precision, threads),
            skip_bad=skip_bad,
            json=json,
        )
    )


def evaluate(
    footage: options.Footage,
    labels: Annotated[
        Path,
        typer.Option(
            "--labels", "-l", metavar="PATH", help="Which frames are abnormal: see Labels below.", show_default=False
        ),
    ],
    model: options.Model,
    masks: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Which pixels are abnormal, to rate the heat maps: a folder with a folder of mask pictures a clip, or "
            ".mat files.",
            show_default=False,
        ),
    ] = None,
    fps: options.Fps = None,
    repair: options.RepairNames = "noise",
    corrupt: Annotated[
        int | None,
        typer.Option(
            metavar="SEED",
            min=0,
            help="First spoil the frames as the competition does: 10 % upside down, 40 % noisy, drawn from SEED.",
            show_default=False,
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Draw the curves and every clip's scores with its labels as a PNG.", show_default=False
        ),
    ] = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    threads: options.Threads = None,
    skip_bad: options.SkipBad = False,
    json: options.Json = False,
) -> None:
    """Measure a model on labelled footage.

    Prints ROC-AUC, average precision and equal error rate, both live (causal) and with a look ahead (offline), and
    what the checkpoint's own threshold catches, how late, and with how many false alarms an hour.
    """
    from model.frames import Repair
    from service.commands import evaluate as verb
    from service.commands import opening

    machine = opening.Machine(device, precision, threads)
    found = opening.find_model(model)
    verb.run(
        verb.Request(footage, found, labels, masks, fps, Repair.parse(repair), corrupt, plot, machine, skip_bad, json)
    )


def info(
    model: Annotated[
        Path | None,
        typer.Argument(
            metavar="MODEL",
            help="Checkpoint to describe; demo: the one that ships with framewatch.",
            show_default=False,
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Describe a checkpoint or, without one, this installation.

    Of a checkpoint: what it is made of, what its threshold rests on, what it was trained on and by which command.
    """
    from service.commands import info as verb
    from service.commands import opening

    verb.run(None if model is None else opening.find_model(model), as_json=json)


def demo(
    ctx: typer.Context,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="Folder to write; an older demo's is replaced.")
    ] = Path("framewatch-demo"),
    seed: options.Seed = 0,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    threads: options.Threads = None,
    json: options.Json = False,
) -> None:
    """Try it all on drawn footage, in two minutes.

    Needs no footage and no GPU (two minutes are for two CPU cores). Draws normal footage of a street, trains on it,
    and scores unseen clips with a cyclist, a runner, someone going the wrong way, a thrown object and a fall.
    """
    from service.commands import demo as verb
    from service.commands import opening

    machine = opening.Machine(device, precision, threads)
    verb.run(out, seed=seed, machine=machine, as_json=json, command=ctx.meta[COMMAND])
