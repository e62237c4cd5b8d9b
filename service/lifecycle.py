"""How a stream lives: read and scored, or read alone while there is no model for it, and ended."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from functools import partial

from service import demo
from service.addresses import AddressError
from service.announcer import Announcer
from service.arrivals import Arrivals
from service.events import STREAM_ENDED
from service.member import Member
from service.problems import Problem
from service.readers.failures import ErrorClass
from service.readers.supervisor import CrewFacts, Readers, SourceError
from service.records import Health, Policy, StreamRecord
from service.scorer import Scorer
from service.settings import Settings
from service.stream import Stream
from service.unscored import UNLEARNED, Unscored

log = logging.getLogger(__name__)


class Lifecycle:
    """Takes streams to the engine and their sources to the readers. The roster makes one change at a time."""

    def __init__(
        self,
        settings: Settings,
        scorer: Scorer,
        announcer: Announcer,
        arrivals: Arrivals,
        *,
        last_seq: Callable[[str], int],
        in_loop: Callable[[Callable[[], object]], object],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Makes it; `start` begins.

        Args:
            settings, scorer, announcer: of the service.
            arrivals: takes in what is read.
            last_seq: of the newest stored score of a stream.
            in_loop: runs something on the event loop's thread, soon.
            clock: seconds since 1970.
        """
        self._settings = settings
        self._scorer = scorer
        self._announcer = announcer
        self._arrivals = arrivals
        self._last_seq = last_seq
        self._in_loop = in_loop
        self._clock = clock
        self._readers = Readers(
            settings,
            arrivals.read,
            arrivals.heard,
            on_dropped=arrivals.dropped,
            on_still=arrivals.shown,
            loops=demo.LOOPS,
        )

    def start(self) -> None:
        """Starts the readers."""
        self._readers.start()

    def readers(self) -> list[CrewFacts]:
        """How the processes are that read."""
        return self._readers.facts()

    def close_sources(self) -> None:
        """Ends all reading of cameras and files, and waits for it."""
        self._readers.close()

    def check_source(self, record: StreamRecord) -> None:
        """Whether a stream's source may be read.

        Raises:
            Problem: 422.
            AddressError: where it is may not be asked.
        """
        if record.source is not None:
            try:
                self._readers.check(record.source)
            except SourceError as error:
                raise Problem(422, str(error)) from None

    def begin(self, member: Member, stream: Stream | None) -> None:
        """Attaches a stream to the engine and begins to read its source; without a model it is read all the same."""
        record = member.record
        if stream is None:
            self._wait(member)
            return
        stream.seq = self._last_seq(record.id)
        member.problem = ""
        member.stream = stream
        self._scorer.attach(stream)
        if member.unscored is not None:
            self._release(member, member.unscored)
        if record.source is not None:
            stream.on_room = partial(self._readers.grant, record.id)
            self._read(member, record.source, colour=stream.plan.model.detector.config.colour)

    def adjust(self, member: Member) -> None:
        """Has the options of a stream at the engine hold for its events and its source too."""
        options = member.record.options
        self._scorer.run(partial(self._adjust_events, member))
        self._readers.change(member.id, policy=options.policy, max_rate=options.max_rate)

    def end(self, member: Member) -> None:
        """Nothing more of a stream is read or scored, and its open event is closed."""
        self._readers.remove(member.id)
        if member.stream is not None:
            self._scorer.detach(member.stream)
            member.stream.close()
        if member.unscored is not None:
            member.unscored.closed = True
        end_events = partial(self._announcer.end, member.watch, STREAM_ENDED)
        try:
            self._scorer.run(end_events).result()
        except CancelledError:  # the engine has given up: nobody else touches the events any more
            end_events()
        member.removed = True

    def _wait(self, member: Member) -> None:
        """Begins to read a stream that has no model yet: at its own pace, as nothing holds it back."""
        record = member.record
        member.problem = UNLEARNED
        if member.unscored is not None:
            self._readers.change(record.id, policy="latest", max_rate=record.options.max_rate)
            return
        member.unscored = Unscored(record.id, clock=self._clock)
        if record.source is not None:
            self._read(member, record.source, policy="latest")

    def _release(self, member: Member, unscored: Unscored) -> None:
        """There is a model now: the source is opened anew, as the stream is to have it."""
        self._readers.remove(member.id)
        unscored.closed = True
        member.unscored = None
        if member.sender is not None:
            self._in_loop(partial(member.sender.stop, "the stream has a model now: connect again"))

    def _read(self, member: Member, source: str, *, colour: bool = False, policy: Policy | None = None) -> None:
        """Begins to read a source. Settings that have changed since it was stored may forbid it."""
        record, options = member.record, member.record.options
        try:
            self._readers.add(
                record.id,
                source,
                loop=record.loop,
                colour=colour,
                max_rate=options.max_rate,
                policy=policy or options.policy,
            )
        except (SourceError, AddressError) as error:
            log.warning("stream %s is not read: %s", record.id, error)
            self._arrivals.set_health(member, Health.FAILED, str(error), ErrorClass.REFUSED)

    def _adjust_events(self, member: Member) -> None:
        """On the engine's thread."""
        options, tracker = member.record.options, member.watch.tracker
        tracker.cooldown = self._settings.cooldown if options.cooldown is None else options.cooldown
        tracker.muted_until = options.muted_until
