"""Pictures of 16 bits that use fewer, as sensors of 10, 12 or 14 write them: made into 8 bits, they are dark."""

from __future__ import annotations

import cv2
import numpy as np

from model.clips import FolderClip
from model.pictures import MAX_PIXELS, PictureError, image_size

MOST = 14
"""Bits up to which a picture is taken for one of fewer than 16: brighter ones keep half of the 8 bits' range."""


def bits_used(clip: FolderClip) -> int | None:
    """How many bits a clip's pictures use of 16, by the first of them.

    Returns:
        1 to `MOST`; None where they use more or have only 8, where all is black, or where it cannot be read.
    """
    try:
        data = clip.place.read(clip.files[0][1])
        width, height = image_size(data)
        deep = data[24] == 16 if data.startswith(b"\x89PNG") else data.startswith((b"II", b"MM"))
        if not deep or width * height > MAX_PIXELS:
            return None
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except (OSError, PictureError, cv2.error):
        return None  # whoever reads the frames says why
    if image is None or image.dtype != np.uint16:
        return None
    bits = int(image[..., :3].max() if image.ndim == 3 else image.max()).bit_length()
    return bits if 0 < bits <= MOST else None
