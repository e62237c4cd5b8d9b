"""A plain FastAPI server of the same detector, for comparison: it recomputes the whole window for each frame.

python -m bench.rival_fastapi --model M --port P
"""

from __future__ import annotations

import argparse
import asyncio
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import torch
import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from model.checkpoint import load
from model.detector import Detector
from model.device import choose_device, choose_precision
from model.pictures import Image, decode_image
from model.workers import Workers


def detector_of(path: Path, device: str, *, workers: bool) -> Detector:
    """The detector as the service loads it: the same device and number format.

    Args:
        path: checkpoint.
        device: `cpu`, `cuda` or `auto`.
        workers: threads share the frames of a batch on a CPU.
    """
    torch.set_num_threads(1)
    place = choose_device(device)
    detector = load(path).detector.to(place).with_precision(choose_precision("auto", place))
    return detector.with_workers(Workers.for_device(place) if workers else None)


def window_scores(detector: Detector, windows: Sequence[Sequence[Image]]) -> list[float]:
    """The raw score of whole windows, each encoded from its first frame to its last, in one batch."""
    bank = detector.bank(len(windows))
    slots = [bank.open() for _ in windows]
    frames = [torch.from_numpy(image) for window in windows for image in window]
    places = [slot for slot, window in zip(slots, windows, strict=True) for _ in window]
    raw = detector.score(bank.push(places, torch.stack(frames))).raw.tolist()
    ends = [sum(len(window) for window in windows[: at + 1]) - 1 for at in range(len(windows))]
    return [float(raw[end]) for end in ends]


def fastapi_app(path: Path, device: str) -> FastAPI:
    """One websocket a stream; each frame's window is scored by itself, in the thread pool."""
    detector = detector_of(path, device, workers=False)
    app = FastAPI()

    @app.websocket("/score")
    async def score(websocket: WebSocket) -> None:
        await websocket.accept()
        window: deque[Image] = deque(maxlen=detector.config.window)

        def work(data: bytes) -> float | None:
            window.append(detector.prepare(decode_image(data)).image)
            return window_scores(detector, [list(window)])[0] if len(window) == window.maxlen else None

        try:
            while True:
                raw = await asyncio.to_thread(work, await websocket.receive_bytes())
                await websocket.send_json({"raw": raw})
        except WebSocketDisconnect:
            return

    return app


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.rival_fastapi", description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    app = fastapi_app(options.model, options.device)
    uvicorn.run(app, host="127.0.0.1", port=options.port, ws="websockets-sansio", log_level="warning")


if __name__ == "__main__":
    main()
