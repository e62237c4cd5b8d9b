"""Normal or anomalous: threshold, hysteresis, minimum duration."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    WARMING = "warming"
    NORMAL = "normal"
    ANOMALOUS = "anomalous"
