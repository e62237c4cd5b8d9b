"""LitServe around the same detector, with its batching, for comparison.

    python -m bench.rival_litserve --model M --port P

Without `from __future__ import annotations`: LitServe looks at the annotations themselves.
"""

import argparse
import os
from collections import deque
from pathlib import Path
from typing import Any

import litserve
from fastapi import Request

from bench.rival_fastapi import detector_of, window_scores
from model.device import choose_device
from model.pictures import Image, decode_image


class Scoring(litserve.LitAPI):  # type: ignore[misc]
    """One worker, which keeps the last frames of each stream; a batch holds one window of each of several streams."""

    path: Path
    on: str

    def setup(self, device: str) -> None:
        self.detector = detector_of(self.path, self.on, workers=True)
        self.windows: dict[str, deque[Image]] = {}

    def decode_request(self, request: Request) -> tuple[str, Image]:
        form: Any = request
        image = decode_image(form["frame"].file.read())
        return str(form["stream"]), self.detector.prepare(image).image

    def batch(self, inputs: list[tuple[str, Image]]) -> list[tuple[str, Image]]:
        return inputs

    def predict(self, inputs: list[tuple[str, Image]]) -> list[float | None]:
        full: list[list[Image]] = []
        ready: list[bool] = []
        for stream, image in inputs:
            window = self.windows.setdefault(stream, deque(maxlen=self.detector.config.window))
            window.append(image)
            ready.append(len(window) == window.maxlen)
            full += [list(window)] if ready[-1] else []
        raw = iter(window_scores(self.detector, full) if full else [])
        return [next(raw) if one else None for one in ready]

    def unbatch(self, output: list[float | None]) -> list[float | None]:
        return output

    def encode_response(self, output: float | None) -> dict[str, float | None]:
        return {"raw": output}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.rival_litserve", description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--batch", type=int, default=16)
    options = parser.parse_args()
    os.environ.setdefault("DO_NOT_TRACK", "1")
    api = Scoring(max_batch_size=options.batch, batch_timeout=0.005)
    api.path, api.on = options.model, options.device
    place = "cuda" if choose_device(options.device).type == "cuda" else "cpu"
    server = litserve.LitServer(api, accelerator=place, devices=1, timeout=120)
    server.run(port=options.port, host="127.0.0.1", generate_client_file=False, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
