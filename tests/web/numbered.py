"""Pictures of the demo's street that carry their number, so that it can be read off a clip, whatever was encoded."""

from __future__ import annotations

from importlib.resources import files

import cv2
import numpy as np
from av import open as open_video

from model.pictures import Image

INTERVAL = 0.1
BITS = 8
BLOCK = 16  # pixels of a bit's side, in the first lines
BELOW = [[[0.0, 0.2], [1.0, 0.2], [1.0, 1.0], [0.0, 1.0]]]
"""The region without the numbers: they change all the time, which is nothing unusual."""

PLAY = """async (video, until) => {
  await video.play();
  while (video.currentTime < until) await new Promise((resolve) => setTimeout(resolve, 20));
  video.pause();
}"""
"""Plays a `video` element up to a time, in seconds."""

READ = """async ({video, times, bits, block, interval}) => {
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const found = [];
  for (const time of times) {
    // "seeked" may come before the picture is on the screen
    const there = new Promise((resolve) => {
      const look = (_, { mediaTime }) => {
        if (mediaTime <= time && time < mediaTime + interval) resolve();
        else video.requestVideoFrameCallback(look);
      };
      video.requestVideoFrameCallback(look);
      setTimeout(resolve, 10000); // what is shown then is wrong, and is read as it is
    });
    video.currentTime = time;
    await there;
    pen.drawImage(video, 0, 0);
    let number = 0;
    for (let bit = 0; bit < bits; bit++) {
      const [level] = pen.getImageData(bit * block + block / 2, block / 2, 1, 1).data;
      number |= (level > 127) << bit;
    }
    found.push(number);
  }
  return found;
}"""
"""Numbers of the pictures that a `video` element shows at some times, in seconds."""


def street() -> Image:
    """The first picture of the demo, uint8 240×320×3 BGR."""
    with open_video(str(files("model") / "data" / "demo.mp4")) as container:
        return np.asarray(next(container.decode(video=0)).to_ndarray(format="bgr24"), np.uint8)


def numbered(scene: Image, number: int, *, moving: bool) -> bytes:
    """The scene as a JPEG, with its number, and with something in it that moves from one number to the next."""
    picture = scene.copy()
    for bit in range(BITS):
        picture[:BLOCK, bit * BLOCK : (bit + 1) * BLOCK] = 255 * (number >> bit & 1)
    if moving:
        at = 40 + 12 * (number % 16)
        picture[120:168, at : at + 32] = np.random.default_rng(0).integers(0, 256, (48, 32, 3), np.uint8)
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
