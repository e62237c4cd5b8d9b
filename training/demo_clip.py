"""The video that ships for the demo stream: the drawn street, to be played again and again.

    python -m training.demo_clip

People pass by, and four times something happens that the demo's model has never seen. It ends as it began, so that a
player that begins anew shows no jump.
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path

import av

from model.atomic import atomic_path
from training.scene import Anomaly, Street

SECONDS = 75.0
SEED = 11
HAPPENS = ((9.0, Anomaly.CYCLIST), (24.0, Anomaly.FALL), (42.0, Anomaly.WRONG_WAY), (58.0, Anomaly.CYCLIST))
"""What happens in it, and at which second."""

_QUALITY = "25"  # x264's constant rate factor: about 0.8 MB, and the noise is still there


def write_clip(path: Path, street: Street, *, seconds: float = SECONDS, seed: int = SEED) -> None:
    """Draws the clip and writes it as H.264 in an MP4, at the street's own size and rate.

    Args:
        path: of the file.
        street: the camera.
        seconds: length.
        seed: of the people and the light.
    """
    faststart = {"movflags": "+faststart"}
    with atomic_path(path) as unfinished, av.open(str(unfinished), "w", format="mp4", options=faststart) as container:
        stream = container.add_stream("libx264", rate=Fraction(street.fps).limit_denominator(1000))
        stream.width, stream.height, stream.pix_fmt = street.width, street.height, "yuv420p"
        stream.options = {"crf": _QUALITY, "preset": "veryslow", "g": "250"}
        happens = [one for one in HAPPENS if one[0] < seconds]
        for drawn in street.loop(seconds, seed=seed, anomalies=happens):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(drawn.image, format="bgr24")))
        container.mux(stream.encode(None))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(__file__).parent.parent / "model" / "data" / "demo.mp4"
    parser.add_argument("--out", type=Path, default=default, metavar="FILE")
    given = parser.parse_args()
    write_clip(given.out, Street())
    print(f"{given.out}: {SECONDS:g} s, {given.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
