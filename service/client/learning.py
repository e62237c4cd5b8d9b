"""Learning a camera from what it shows."""

from __future__ import annotations

from typing import Any

from service.client.connection import Connection, part, until_ended

_ENDED = ("ready", "failed", "cancelled")


class Learning(Connection):
    """What a client does to have a camera learned."""

    def learn(self, stream: str, minutes: float = 30.0) -> dict[str, Any]:
        """Begins to record a stream for so many minutes, and to train a model on that."""
        return self._object("POST", f"/v1/streams/{part(stream)}/learn", json={"minutes": minutes})

    def learnings(self) -> list[dict[str, Any]]:
        """All that was learned, or is being learned, newest first."""
        return self._list("/v1/learning", "learning")

    def learning(self, id: str) -> dict[str, Any]:
        """A learning: its state, its progress, and the report when it is ready."""
        return self._object("GET", f"/v1/learning/{part(id)}")

    def wait_for_learning(self, id: str, *, seconds: float = 86_400.0, every: float = 0.5) -> dict[str, Any]:
        """A learning when it has ended.

        Raises:
            TimeoutError: it has not, after so many seconds.
        """
        return until_ended(f"learning {id}", lambda: self.learning(id), _ENDED, seconds=seconds, every=every)

    def cancel_learning(self, id: str) -> None:
        """Cancels a learning, or forgets one that has ended."""
        self.request("DELETE", f"/v1/learning/{part(id)}")

    def activate_learning(self, id: str) -> dict[str, Any]:
        """Has the stream scored by the model that was learned from it."""
        return self._object("POST", f"/v1/learning/{part(id)}/activate")
