"""The detector: encoder, whitening, autoencoder, error scale and calibration in one module."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from model.autoencoder import Ensemble
from model.bank import Bank, Windows
from model.encoder import Encoder, EncoderName, PixelEncoder, StemEncoder
from model.frames import REFERENCE_SIZE, Geometry, Prepared, Repair, prepare
from model.motion import MotionMask
from model.pictures import Image
from model.whitening import Whitening
from model.workers import Workers

_WINDOWS_EACH = 64  # that a CPU's thread takes at a time

Precision = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True, slots=True)
class DetectorConfig:
    """Everything that decides a detector's shape; it is stored in the checkpoint and configured nowhere else.

    Attributes:
        encoder: `stem` (a grid of cells) or `pixels` (the whole frame, the project's seed).
        geometry: from a camera's picture to the input.
        frame_interval: seconds between scored frames.
        colour: three channels instead of luma.
        cell: side of a cell, pixels of the input (stem).
        window: frames in a window, T.
        recent: an error is that of the last so many frames of the window; the frames before them are its context.
        components: principal components kept of a cell's features (stem).
        hidden: width of the LSTMs.
        latent: width of the latent.
        members: how many autoencoders there are; a window's error is the mean of theirs.
        top: a frame's raw score is the mean of so many largest cell errors.
        motion: rms difference above which a cell moves, of full scale (stem).
        most_cells: at most so many moving cells of a frame count.
        smoothing: seconds of the rolling mean.
        minimum: seconds an excursion must last to be an anomaly.
    """

    encoder: EncoderName
    geometry: Geometry
    frame_interval: float
    colour: bool = False
    cell: int = 16
    window: int = 8
    recent: int = 2
    components: int = 32
    hidden: int = 64
    latent: int = 12
    members: int = 2
    top: int = 10
    motion: float = 0.03
    most_cells: int = 128
    smoothing: float = 0.8
    minimum: float = 0.2

    def __post_init__(self) -> None:
        """Raises ValueError naming the first setting that makes no sense."""
        for name, low, high in (
            ("frame_interval", 1e-3, 3600.0),
            ("cell", 16, 256),
            ("window", 2, 256),
            ("recent", 1, self.window),
            ("components", 1, 4096),
            ("hidden", 1, 4096),
            ("latent", 1, 4096),
            ("members", 1, 64),
            ("top", 1, 1024),
            ("motion", 0.0, 1.0),
            ("most_cells", 1, 1 << 16),
            ("smoothing", 0.0, 3600.0),
            ("minimum", 0.0, 3600.0),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} is {value}: expected {low} to {high}")
        if self.encoder not in ("stem", "pixels"):
            raise ValueError(f"encoder is {self.encoder!r}: expected stem or pixels")

    @property
    def mask(self) -> MotionMask | None:
        """Which cells count; None for the whole frame, which always does."""
        return MotionMask(self.motion, self.most_cells) if self.encoder == "stem" else None


@dataclass(frozen=True, slots=True)
class Scores:
    """What a batch of frames scored.

    Attributes:
        raw: float32 N, reconstruction error of the window ending at each frame, >= 0; NaN where no window is full.
        heat: float32 N×2·rows×2·columns, a map of half cells: the mean error of the cells that cover it, 0 where
            nothing moves.
    """

    raw: Tensor
    heat: Tensor


class Detector(nn.Module):
    """Scores windows of frames by how badly they are reconstructed.

    Example:
        >>> detector = load("model.safetensors").detector                       # doctest: +SKIP
        >>> scores = detector.score_window(frames)                              # doctest: +SKIP
    """

    encoder: Encoder
    error_weight: Tensor
    theta: Tensor
    reference: Tensor

    def __init__(self, config: DetectorConfig) -> None:
        super().__init__()
        self.config = config
        height, width = config.geometry.input
        if config.encoder == "stem":
            self.encoder = StemEncoder(height, width, cell=config.cell, colour=config.colour)
            features = config.components
            self.whitening: Whitening | None = Whitening(self.encoder.channels, features)
        else:
            self.encoder = PixelEncoder(height, width, colour=config.colour)
            features = self.encoder.channels
            self.whitening = None
        self.autoencoder = Ensemble(config.members, features, config.hidden, config.latent)
        self.register_buffer("error_weight", torch.ones(config.recent, features))
        self.register_buffer("theta", torch.ones(()))
        self.register_buffer("reference", torch.zeros(REFERENCE_SIZE, dtype=torch.uint8))
        self.precision: Precision = "float32"
        self._exact: dict[str, Tensor] = {}
        self._workers: Workers | None = None
        self.eval()

    @property
    def device(self) -> torch.device:
        return self.theta.device

    def with_precision(self, precision: Precision) -> Detector:
        """Sets the number format of the encoder, where nearly all the work is; everything else stays float32."""
        if self.precision == "float32":
            self._exact = {name: value.clone() for name, value in self.encoder.state_dict().items()}
        self.precision = precision
        dtype: torch.dtype = getattr(torch, precision)
        self.encoder.to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in stubs
        if precision == "float32":  # rounding is not undone by a cast
            self.encoder.load_state_dict(self._exact)
        return self

    def exact_state(self) -> dict[str, Tensor]:
        """`state_dict` in float32 whatever the precision: the encoder's weights as they were before any rounding."""
        state = dict(self.state_dict())
        if self.precision != "float32":
            state |= {f"encoder.{name}": value for name, value in self._exact.items()}
        return state

    def prepare(self, image: Image, repair: Repair | None = None) -> Prepared:
        """A decoded picture -> this model's input; see `frames.prepare`.

        Raises:
            PictureSizeError: the picture's aspect is not the model's.
        """
        config = self.config
        config.geometry.check(image)
        reference = self._reference if repair and repair.flip else None
        return prepare(image, config.geometry, colour=config.colour, repair=repair, reference=reference)

    @property
    def _reference(self) -> Image:
        picture: Image = self.reference.cpu().numpy()
        return picture

    def with_workers(self, workers: Workers | None) -> Detector:
        """Sets the threads that encode frames on a CPU; None: the calling thread."""
        self._workers = workers
        return self

    def bank(self, slots: int = 1) -> Bank:
        """An empty bank for streams of this model."""
        config = self.config
        return Bank(
            self.encoder,
            config.window,
            config.geometry.input,
            mask=config.mask,
            slots=slots,
            device=self.device,
            workers=self._workers if self.device.type == "cpu" else None,
        )

    def features(self, windows: Tensor) -> Tensor:
        """Encoder features float32 M×T×C -> what the autoencoder sees, float32 M×T×K."""
        return windows if self.whitening is None else self.whitening(windows)

    def errors(self, windows: Tensor) -> Tensor:
        """Weighted reconstruction error of each window's last frames: float32 M×T×C -> float32 M."""
        if self._workers is None or self.device.type != "cpu":
            return self._errors(windows)
        return self._workers.map(self._errors, windows, _WINDOWS_EACH)

    def _errors(self, windows: Tensor) -> Tensor:
        return self.autoencoder.error(windows, self.error_weight, self.whitening)

    @torch.inference_mode()
    def score(self, windows: Windows) -> Scores:
        """The scores of a batch of frames from the windows that a bank gave."""
        cells = self.encoder.cells
        errors = torch.zeros(len(windows.ready), cells.count, device=self.device)
        errors[windows.frame, windows.cell] = self.errors(windows.features)
        top = min(self.config.top, cells.count)
        raw = errors.topk(top, dim=1).values.sum(1) / top
        raw[~torch.tensor(windows.ready, device=self.device)] = torch.nan
        return Scores(raw, cells.spread(errors))

    def score_window(self, frames: Tensor) -> Scores:
        """Scores one window from its raw frames, without a bank of its own: uint8 T×H×W (or ×3) -> scores, N = 1."""
        bank = self.bank()
        slot = bank.open()
        scores = self.score(bank.push([slot] * len(frames), frames))
        return Scores(scores.raw[-1:], scores.heat[-1:])


def score_of(raw: float, theta: float) -> float:
    """`raw / (raw + theta)`: strictly monotone, in [0, 1), 0.5 at the threshold."""
    return raw / (raw + theta)


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a threshold rests on; see `training.calibrate`.

    Attributes:
        theta: the raw score at which `score` is 0.5.
        alarms_per_hour: false alarms an hour that theta was chosen for.
        minutes: minutes of held-out normal footage it rests on.
        alarms: false alarms on that footage at theta.
        upper_bound: upper end of the 95 % Poisson interval of the alarms per hour seen.
        extrapolated: whether theta was carried beyond the footage by its tail.
        precision: the number format of the encoder it was computed in.
    """

    theta: float
    alarms_per_hour: float
    minutes: float
    alarms: int
    upper_bound: float
    extrapolated: bool
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        """Raises ValueError for numbers that make no sense."""
        if not self.theta > 0:
            raise ValueError(f"the threshold theta is {self.theta}: expected more than 0")
        for name in ("alarms_per_hour", "minutes", "alarms", "upper_bound"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}: expected 0 or more")

    @property
    def sufficient(self) -> bool:
        """Whether there was an hour of footage or more."""
        return self.minutes >= 60.0
