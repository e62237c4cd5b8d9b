"""Fitting the autoencoders to windows of normal footage."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from model.atomic import atomic_path
from model.autoencoder import Ensemble
from model.memory import is_out_of_memory


class ResumeError(Exception):
    """A training run that cannot be continued; the message says why."""


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How the autoencoder is fitted.

    Attributes:
        steps: optimiser steps.
        batch: windows in a step.
        learning_rate: peak of the one-cycle schedule.
        noise: standard deviation of the Gaussian noise on the input (features have unit variance in the mean).
        clip: largest gradient norm.
        every: steps between looks at the held-out windows.
        patience: looks without improvement after which fitting stops.
        seed: of the weights and the noise.
    """

    steps: int = 1500
    batch: int = 256
    learning_rate: float = 3e-3
    noise: float = 0.3
    clip: float = 1.0
    every: int = 100
    patience: int = 5
    seed: int = 0


@dataclass(frozen=True, slots=True)
class LossPoint:
    """The loss at a training step; None where it was not measured."""

    step: int
    train: float | None = None
    held_out: float | None = None


@dataclass(frozen=True, slots=True)
class Fit:
    """How fitting went.

    Attributes:
        history: train and held-out loss at every look.
        best: the point whose weights were kept.
        interrupted: stopped by Ctrl-C.
        batch: windows in a step at the end (smaller than asked for where memory ran out).
    """

    history: list[LossPoint]
    best: LossPoint
    interrupted: bool
    batch: int


SMALLEST_BATCH = 8
_LOOK = 4096  # held-out windows looked at, from all over: neighbours are of the same clip


def fit(
    autoencoder: Ensemble,
    windows: Tensor,
    held_out: Tensor,
    settings: FitSettings,
    *,
    resume: Path | None = None,
    on_step: Callable[[LossPoint], object] | None = None,
    on_look: Callable[[LossPoint], object] | None = None,
    say: Callable[[str], object] | None = None,
) -> Fit:
    """Minimises the mean squared reconstruction error; keeps the weights that were best on the held-out windows.

    Adam with decoupled weight decay and a one-cycle schedule; the input carries noise, the target does not. Ctrl-C
    stops and keeps the best. Out of memory halves the batch, said once.

    Args:
        autoencoder: float32, fitted in place, on its device; its members all see the same windows and noise.
        windows: float32 M×T×K, whitened.
        held_out: the same, of other clips.
        settings: how.
        resume: file in which the state of the fit is kept after each look; one that is there is continued.
        on_step: called after each step with its loss.
        on_look: called after each look.
        say: called with what the user should know.

    Raises:
        ResumeError: the state belongs to another run.
    """
    device = next(autoencoder.parameters()).device
    generator = torch.Generator().manual_seed(settings.seed)
    optimizer = torch.optim.AdamW(autoencoder.parameters(), settings.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        settings.learning_rate,
        total_steps=settings.steps,
        pct_start=min(0.75, max(0.1, 2.5 / settings.steps)),  # of ten steps, one to warm up would divide by zero
    )
    windows, look = windows.to(device), held_out[:: math.ceil(len(held_out) / _LOOK) or 1].to(device)
    state = _State(autoencoder, optimizer, generator, settings, windows)
    if resume is not None and resume.exists():
        state.load(resume)
        for _ in range(state.step):
            optimizer._opt_called = True  # type: ignore[attr-defined]  # the schedule is replayed without steps
            schedule.step()
    batch, interrupted = settings.batch, False
    try:
        autoencoder.train()
        while state.step < settings.steps and state.stale < settings.patience:
            pick = torch.randint(len(windows), (batch,), generator=generator).to(device)
            noise = torch.randn((batch, *windows.shape[1:]), generator=generator)
            try:
                clean = windows[pick]
                loss = (autoencoder(clean + settings.noise * noise.to(device)) - clean).square().mean()
                optimizer.zero_grad()
                (len(autoencoder.members) * loss).backward()  # each member learns as it would alone
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error) or batch <= SMALLEST_BATCH:
                    raise
                batch //= 2
                if say is not None and batch == settings.batch // 2:
                    say(f"out of memory on {device}: going on with smaller batches")
                optimizer.zero_grad(set_to_none=True)
                if device.type == "cuda":
                    torch.cuda.empty_cache()
                continue
            for member in autoencoder.members:
                torch.nn.utils.clip_grad_norm_(member.parameters(), settings.clip)
            optimizer.step()
            schedule.step()
            state.step += 1
            if on_step is not None:
                on_step(LossPoint(state.step, float(loss.detach())))
            if state.step % settings.every == 0 or state.step == settings.steps:
                held_out_loss = _loss(autoencoder, look)
                point = LossPoint(state.step, float(loss.detach()), held_out_loss)
                state.look(point, held_out_loss)
                if resume is not None:
                    state.save(resume)
                if on_look is not None:
                    on_look(point)
    except KeyboardInterrupt:
        interrupted = True
        if not state.history:
            raise
    autoencoder.load_state_dict(state.best_weights)
    autoencoder.eval()
    return Fit(state.history, state.best, interrupted, batch)


@torch.no_grad()
def _loss(autoencoder: Ensemble, windows: Tensor) -> float:
    autoencoder.eval()
    loss = float(autoencoder.error(windows).mean()) if len(windows) else 0.0
    autoencoder.train()
    return loss


class _State:
    """Everything that a fit needs to go on where it stopped."""

    def __init__(
        self,
        autoencoder: Ensemble,
        optimizer: torch.optim.Optimizer,
        generator: torch.Generator,
        settings: FitSettings,
        windows: Tensor,
    ) -> None:
        self.step = 0
        self.stale = 0
        self.history: list[LossPoint] = []
        self.best = LossPoint(0, None, math.inf)
        self._lowest = math.inf
        self.best_weights = _copy(autoencoder)
        self._autoencoder = autoencoder
        self._optimizer = optimizer
        self._generator = generator
        digest = hashlib.sha256(json.dumps(dataclasses.asdict(settings), sort_keys=True).encode())
        digest.update(windows[:: max(1, len(windows) // 64)].cpu().numpy().tobytes())
        self._run = digest.hexdigest()

    def look(self, point: LossPoint, held_out: float) -> None:
        self.history.append(point)
        if held_out < self._lowest:
            self._lowest = held_out
            self.best, self.best_weights, self.stale = point, _copy(self._autoencoder), 0
        else:
            self.stale += 1

    def save(self, path: Path) -> None:
        tensors = {f"now.{name}": value for name, value in _copy(self._autoencoder).items()}
        tensors |= {f"best.{name}": value for name, value in self.best_weights.items()}
        for index, moments in self._optimizer.state_dict()["state"].items():
            tensors |= {f"adam.{index}.{name}": torch.as_tensor(value) for name, value in moments.items()}
        tensors["generator"] = self._generator.get_state()
        document = {
            "run": self._run,
            "step": self.step,
            "stale": self.stale,
            "history": [[point.step, point.train, point.held_out] for point in self.history],
            "best": self.best.step,
        }
        with atomic_path(path) as temporary:
            safetensors.torch.save_file(
                {name: value.cpu().contiguous() for name, value in tensors.items()},
                temporary,
                metadata={"fit": json.dumps(document)},
            )

    def load(self, path: Path) -> None:
        try:
            with safetensors.safe_open(path, framework="pt") as file:
                document = json.loads((file.metadata() or {})["fit"])
                run = document["run"]
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        except (OSError, safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
            raise ResumeError(f"{path} is no saved training run ({error}): remove it to start anew") from error
        if run != self._run:
            raise ResumeError(
                f"{path} belongs to a run with other footage or settings: give the same ones, or remove it to "
                "start anew"
            )
        self.step, self.stale = document["step"], document["stale"]
        self.history = [LossPoint(*point) for point in document["history"]]
        self.best = next(point for point in self.history if point.step == document["best"])
        self._lowest = math.inf if self.best.held_out is None else self.best.held_out
        self._autoencoder.load_state_dict(_named(tensors, "now."))
        self.best_weights = _named(tensors, "best.")
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in _named(tensors, "adam.").items():
            index, _, key = name.partition(".")
            moments.setdefault(int(index), {})[key] = value
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": moments, "param_groups": groups})
        self._generator.set_state(tensors["generator"])


def _copy(autoencoder: Ensemble) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in autoencoder.state_dict().items()}


def _named(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
