"""What comes in for the streams: frames on their way to the engine and to whoever keeps them, and word of sources."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

from service import messages
from service.addresses import redact
from service.member import Member
from service.messages import Message
from service.records import Dropped, Health, IncomingFrame

log = logging.getLogger(__name__)


class Arrivals:
    """Takes in what readers and senders bring. Its methods never wait, and may be called from any thread."""

    def __init__(
        self,
        member: Callable[[str], Member | None],
        *,
        epoch: int,
        publish: Callable[[list[Message]], object],
        stalled_after: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Makes it.

        Args:
            member: a stream by its id; None: it is gone.
            epoch: of this run of the service.
            publish: hands messages to the subscribers; must not block.
            stalled_after: seconds without a frame after which a sender has gone quiet; readers see that themselves.
            monotonic: seconds.
        """
        self._member = member
        self._epoch = epoch
        self._publish = publish
        self._stalled_after = stalled_after
        self._monotonic = monotonic

    # from senders

    def pushed(self, member: Member, frame: IncomingFrame) -> None:
        """A frame of a pushed stream was taken in."""
        _spread(member, frame)
        member.last_frame = self._monotonic()
        if member.health is not Health.LIVE:
            self.set_health(member, Health.LIVE)

    def look(self, members: Iterable[Member]) -> None:
        """Notes senders that have gone quiet, and frames that are of no use; to be called every second."""
        now = self._monotonic()
        for member in members:
            self._tell_unusable(member)
            if member.health is not Health.LIVE or member.sender is None:
                continue
            if now - member.last_frame > self._stalled_after:
                self.set_health(member, Health.STALLED, "no frame has come for a while")

    def set_health(self, member: Member, health: Health, reason: str = "", error_class: str = "") -> None:
        """Notes and announces a stream's health; of one that is removed nothing: another may have its id by now."""
        inlet = None if member.removed else member.inlet
        if inlet is not None and inlet.set_health(health, reason, error_class):
            self._say_health(member)

    def _tell_unusable(self, member: Member) -> None:
        """Says it where the frames of a camera that seems to be well cannot be scored, and where they can again."""
        unusable = member.unusable
        if unusable == member.told or member.removed:
            return
        if unusable:
            log.warning("stream %s: its frames cannot be scored: %s", member.id, unusable)
        member.told = unusable
        self._say_health(member)

    def _say_health(self, member: Member) -> None:
        said = messages.health(
            member.id, self._epoch, member.health, reason=redact(member.reason), error_class=member.error_class
        )
        self._publish([said])

    # from readers, which know streams by their ids

    def read(self, id: str, frame: IncomingFrame) -> bool:
        """A frame was read; False: there is no room for it. One of a stream that is gone counts as taken."""
        member = self._member(id)
        inlet = None if member is None else member.inlet
        if member is None or inlet is None or inlet.closed:
            return True
        taken = inlet.offer(frame)
        if taken:
            _spread(member, frame)
        return taken

    def shown(self, id: str, captured: float, still: bytes) -> None:
        """A picture for people, of a source whose frames come decoded."""
        member = self._member(id)
        if member is not None and member.ring is not None:
            member.ring.add(captured, still)

    def heard(self, id: str, health: Health, reason: str, error_class: str) -> None:
        """A source is now so."""
        member = self._member(id)
        if member is None:
            return
        before = member.health
        self.set_health(member, health, reason, error_class)
        if health is not before:
            log.info("stream %s: %s%s", id, health.value, f": {redact(reason)}" if reason else "")

    def dropped(self, id: str, cause: Dropped, count: int) -> None:
        """Frames were lost before they could be taken in."""
        member = self._member(id)
        if member is not None:
            member.lost[cause] += count


def _spread(member: Member, frame: IncomingFrame) -> None:
    """A frame was taken in: it goes to whoever keeps frames."""
    if member.ring is not None and isinstance(frame.data, bytes):
        member.ring.add(frame.captured, frame.data)
    for tap in tuple(member.taps):
        tap(frame)
