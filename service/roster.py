"""The streams of the service: made, restored, changed and removed while everything runs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from service.announcer import Announcer, Watch
from service.arrivals import Arrivals
from service.backlog import Backlog
from service.endings import Endings
from service.events import EventTracker, TamperingTracker
from service.hub import Hub
from service.lifecycle import Lifecycle
from service.member import Member
from service.messages import Message
from service.models import Model, ModelError, Models
from service.numbers import Numbers
from service.plan import make_plan
from service.problems import Problem, not_found
from service.readers.supervisor import CrewFacts
from service.recorder.recorder import Recorder
from service.records import Health, StreamOptions, StreamRecord
from service.scorer import Scorer
from service.sentry import Sentry
from service.settings import Settings
from service.store import Store, StoreUnavailable
from service.stream import FrameLimits, Stream, switch

NO_MODEL = "no model is active: put a checkpoint into the model folder and activate it"
log = logging.getLogger(__name__)


class Roster:
    """All streams by id. Its methods may block for a commit, and may be called from any thread.

    Attributes:
        backlog: what waits in their queues together.
        arrivals: takes in what comes for them.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        models: Models,
        scorer: Scorer,
        hub: Hub,
        announcer: Announcer,
        recorder: Recorder,
        *,
        in_loop: Callable[[Callable[[], object]], object],
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Makes it empty.

        Args:
            settings, store, models, scorer, hub, announcer, recorder: of the service.
            in_loop: runs something on the event loop's thread, soon.
            clock: seconds since 1970.
            monotonic: seconds.
        """
        self.backlog = Backlog(settings.max_backlog_bytes)
        self._settings = settings
        self._store = store
        self._models = models
        self._hub = hub
        self._endings = Endings(scorer, announcer)
        self._recorder = recorder
        self._numbers = Numbers(store.last_seq)
        self._in_loop = in_loop
        self._clock = clock
        self._members: dict[str, Member] = {}
        self._changing = threading.RLock()
        self.arrivals = Arrivals(
            self._members.get,
            epoch=store.epoch,
            publish=self._publish,
            stalled_after=settings.stalled_after_s,
            monotonic=monotonic,
        )
        self._lifecycle = Lifecycle(
            settings,
            scorer,
            announcer,
            self.arrivals,
            last_seq=self._numbers.last,
            in_loop=in_loop,
            clock=clock,
        )

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[Member]:
        return iter(list(self._members.values()))

    def watch(self, id: str) -> Watch | None:
        """For the announcer."""
        member = self._members.get(id)
        return None if member is None else member.watch

    def get(self, id: str) -> Member:
        """A stream by its id.

        Raises:
            Problem: 404.
        """
        member = self._members.get(id)
        if member is None:
            raise not_found("stream", id)
        return member

    def has(self, id: str) -> bool:
        """Whether there is such a stream."""
        return id in self._members

    def restore(self) -> None:
        """Brings the stored streams back. One that cannot be scored says why, and waits to be changed or removed."""
        self._lifecycle.start()
        for record in self._store.streams():
            member = self._enter(record)
            try:
                self._lifecycle.begin(member, self._stream(record))
            except (ModelError, ValueError, Problem) as error:
                member.problem = str(error)
                log.warning("stream %s is not scored: %s", record.id, error)

    def create(self, record: StreamRecord) -> Member:
        """Makes a stream and begins to score it; one for which there is no model yet is read, to be learned.

        Raises:
            Problem: 409 if the id is taken, 503 if there are too many.
            ModelError, OptionError, AddressError: it cannot be as the record says.
        """
        with self._changing:
            if record.id in self._members:
                raise Problem(409, f"there is a stream {record.id!r} already")
            if len(self._members) >= self._settings.max_streams:
                raise Problem(503, f"{len(self._members)} streams are as many as are allowed", retry_after=60)
            self._lifecycle.check_source(record)
            record = replace(record, created=self._clock())
            stream = self._stream(record)
            self._store.put_stream(record)
            member = self._enter(record)
            self._lifecycle.begin(member, stream)
            return member

    def change(self, id: str, *, name: str | None = None, changes: Mapping[str, Any] | None = None) -> Member:
        """Changes a stream while it runs; what another change has just made of it stays.

        Args:
            id: of the stream.
            name: None: as it is.
            changes: of its options, by their names in `StreamOptions`.

        Raises:
            Problem: 404.
            ModelError, OptionError: it cannot be so; nothing has changed.
        """
        with self._changing:
            member = self.get(id)
            options = replace(member.record.options, **(changes or {}))
            return self._change(member, member.record.name if name is None else name, options)

    def put(self, record: StreamRecord) -> tuple[Member, bool]:
        """Makes a stream as a record says, or has the one of its id be so; gives whether it was made.

        Where only name and options differ it goes on; with another source it begins anew, and so does one that failed:
        it would never be tried again.

        Raises:
            Problem, ModelError, OptionError, AddressError: see `create`; nothing has changed.
        """
        with self._changing:
            member = self._members.get(record.id)
            if member is None:
                return self.create(record), True
            same = (record.source, record.loop) == (member.record.source, member.record.loop)
            if same and member.health is not Health.FAILED:
                if (record.name, record.options) == (member.record.name, member.record.options):
                    return member, False
                return self._change(member, record.name, record.options), False
            self._lifecycle.check_source(record)
            record = replace(record, created=member.record.created)
            stream = self._stream(record, fresh=not same)
            if not same:
                self._store.forget_reference(record.id)  # another camera shows another scene
            self._store.put_stream(record)  # before anything ends: the disk may be full
            self._end(member)
            self._store.put_stream(record)  # behind the last scores: the numbers go on after them
            successor = self._enter(record)
            self._lifecycle.begin(successor, stream)
            sender = member.sender
        if sender is not None:
            self._in_loop(partial(sender.stop, "the stream has another source now"))
        return successor, False

    def remove(self, id: str, *, purge: bool = False) -> None:
        """Removes a stream in any state.

        Raises:
            Problem: 404.
        """
        with self._changing:
            member = self.get(id)
            self._store.delete_stream(id)  # before anything ends: the disk may be full
            self._end(member)
            if purge:
                self._store.delete_stream(id, purge=True)
            self._recorder.close(id, purge=purge)
            del self._members[id]
            sender = member.sender

        def say() -> None:
            if sender is not None:
                sender.stop("the stream was deleted")
            self._hub.end(id)

        self._in_loop(say)

    def follow(self, model: Model) -> None:
        """Moves the streams that name no model to another one, all or none (see `stream.switch`).

        Raises:
            OptionError: naming the stream.
        """
        with self._changing:
            switch([m.stream for m in self if m.stream is not None and m.record.options.model is None], model)

    def revive(self) -> None:
        """Begins to score streams that waited for a model."""
        with self._changing:
            for member in self:
                if member.stream is None:
                    try:
                        self._lifecycle.begin(member, self._stream(member.record))
                    except (ModelError, ValueError, Problem) as error:
                        member.problem = str(error)

    def uses(self, model: str) -> list[str]:
        """Ids of the streams that name a model."""
        return [member.id for member in self if member.record.options.model == model]

    def tick(self) -> None:
        """Every second: notes senders that have gone quiet, and closes the events of sources that say nothing more."""
        self._endings.look(self)
        self.arrivals.look(self)

    def readers(self) -> list[CrewFacts]:
        """How the processes are that read cameras and files."""
        return self._lifecycle.readers()

    def close_sources(self) -> None:
        """Ends all reading of cameras and files, and waits for it."""
        self._lifecycle.close_sources()

    def keep_references(self) -> None:
        """Stores what the cameras are judged against, for the next start."""
        kept = {m.id: m.stream.sentry.reference for m in self if m.stream is not None}
        try:
            self._store.put_references({id: reference for id, reference in kept.items() if reference is not None})
        except StoreUnavailable as error:
            log.warning("the cameras' references are not stored: %s", error)

    def close(self) -> None:
        """Ends the streams, which stay stored."""
        self.keep_references()
        for member in self:
            if member.stream is not None:
                member.stream.close()

    def _change(self, member: Member, name: str, options: StreamOptions) -> Member:
        record = replace(member.record, name=name, options=options)
        if member.stream is None:
            stream = self._stream(record)
            self._store.put_stream(record)
            member.record = record
            self._lifecycle.begin(member, stream)
            return member
        model = self._model(options)
        if model is None:
            raise ModelError(f"{NO_MODEL}, or have the stream name one")
        plan = make_plan(model, options, member.stream.plan.repair)
        self._store.put_stream(record)  # before anything changes: the disk may be full
        member.stream.follow(plan, options)
        member.stream.record = record
        member.record = record
        self._lifecycle.adjust(member)
        return member

    def _enter(self, record: StreamRecord) -> Member:
        options = record.options
        tracker = EventTracker(
            record.id,
            self._store.epoch,
            next_id=self._store.next_event_id,
            cooldown=self._settings.cooldown if options.cooldown is None else options.cooldown,
            muted_until=options.muted_until,
        )
        tampering = TamperingTracker(record.id, self._store.epoch, next_id=self._store.next_event_id)
        watch = Watch(tracker, tampering)
        member = self._members[record.id] = Member(record, watch, self._recorder.open(record.id))
        self._in_loop(partial(self._hub.open, record.id, self._numbers.last(record.id)))
        return member

    def _end(self, member: Member) -> None:
        self._lifecycle.end(member)
        if member.stream is not None:
            self._numbers.keep(member.id, member.stream.seq)

    def _stream(self, record: StreamRecord, *, fresh: bool = False) -> Stream | None:
        """A stream that is to be scored, `fresh`: of another scene; None: there is no model for it yet."""
        limits = FrameLimits(self._settings.max_frame_bytes, self._settings.max_pixels)
        model = self._model(record.options)
        if model is None:
            return None
        sentry = Sentry(None if fresh else self._store.reference(record.id))
        return Stream(record, model, frame_limits=limits, backlog=self.backlog, sentry=sentry)

    def _model(self, options: StreamOptions) -> Model | None:
        return self._models.active if options.model is None else self._models.get(options.model)

    def _publish(self, said: list[Message]) -> None:
        self._in_loop(partial(self._hub.publish, said))
