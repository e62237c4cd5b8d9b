"""The running service: everything that one process has once, put together, started and stopped in order."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress

from model.checkpoint import CheckpointError, bundled
from model.detector import Precision
from model.device import choose_device, choose_precision
from model.workers import Workers
from service import demo
from service.activation import Activation
from service.alerts.alerting import Alerting
from service.alerts.mqtt import StreamState
from service.announcer import Announcer
from service.auth import Access, mint, write_admin_key
from service.engine.batching import BatchLimits
from service.hub import Hub
from service.learning.learner import Learner
from service.member import Member
from service.messages import Message, event_files
from service.metrics import Metrics
from service.models import ModelError, Models
from service.picturing import Pictures
from service.problems import Problem
from service.recorder.recorder import Recorder
from service.recorder.recording import ClipTimes
from service.recorder.records import EventFiles
from service.recorder.shelf import ShelfLimits
from service.records import Health, Score
from service.repeats import Repeats
from service.retention import JobLimits, Retention, disk_is_short
from service.roster import NO_MODEL, Roster
from service.scorer import Scorer, ScorerLimits
from service.sessions import Sessions
from service.settings import Settings
from service.store import Store
from service.videos.jobs import Jobs
from service.visits import Visit, Visits

BEAT = 5.0
"""Seconds without a sign of life after which the engine counts as stuck."""

_KEPT_EVERY = 300  # seconds between two times at which the cameras' references are stored
log = logging.getLogger(__name__)


class Monitor:
    """The service apart from HTTP. Made without side effects; `start` opens the data folder and loads the model.

    Attributes:
        settings: of the service.
        metrics: what is measured.
        draining: it is about to end and takes nothing in any more.
        visits: websockets and event streams that are open.
        trials: sources that are being tried out.
    """

    store: Store
    access: Access
    models: Models
    scorer: Scorer
    hub: Hub
    roster: Roster
    activation: Activation
    jobs: Jobs
    learner: Learner
    pictures: Pictures
    repeats: Repeats
    recorder: Recorder
    alerting: Alerting

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.draining = asyncio.Event()
        self.visits = Visits(most=settings.max_clients, most_of_key=settings.max_clients_per_key)
        self.trials = 0
        self._started = False
        self._stopped = False
        self._retention: Retention | None = None
        self._ticking: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def device(self) -> str:
        """What computes."""
        return str(self._device)

    @property
    def stuck(self) -> float:
        """Seconds since the engine moved while it should; 0: it need not."""
        return self.scorer.stuck if self._started else 0.0

    async def start(self) -> None:
        """Starts everything; a second call does nothing. On the event loop that will serve.

        Raises:
            StoreError, DeviceError, ModelError: with a message for the user.
        """
        if self._started:
            return
        self._loop = asyncio.get_running_loop()
        settings = self.settings
        self._device = choose_device(settings.device)
        precision = choose_precision(settings.precision, self._device)
        self.store = await asyncio.to_thread(Store.open, settings.data_dir)
        self._build(precision)
        self._started = True
        try:
            self.scorer.start()
            await asyncio.to_thread(self._open)
            self._measure()
            self._ticking = asyncio.create_task(self._tick())
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Drains and ends everything; a second call does nothing. Subscribers are told that the service restarts."""
        if self._stopped or not self._started:
            return
        self._stopped = True
        self.draining.set()
        if self._ticking is not None:
            self._ticking.cancel()
        await asyncio.to_thread(self._drain)
        await asyncio.sleep(0)  # what the store's thread has just announced goes out first
        self.hub.close()
        self.pictures.close()
        await asyncio.to_thread(self.store.close)

    def in_loop(self, function: Callable[[], object]) -> None:
        """Runs something on the event loop's thread, soon; not at all once that has ended."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function)

    def reasons(self) -> list[str]:
        """Why the service is not ready; empty: it is. No input or output is done for it."""
        found = []
        if self.draining.is_set():
            found.append("the service is stopping")
        if self.models.active is None and not any(member.stream is not None for member in self.roster):
            found.append(NO_MODEL)
        if self.scorer.failed:
            found.append(self.scorer.failed)
        elif self.scorer.heartbeat_age > BEAT:
            found.append(f"the scorer has not moved for {self.scorer.heartbeat_age:.0f} s")
        if self.store.degraded:
            found.append(self.store.degraded)
        return found

    def add_demo(self) -> tuple[Member, bool]:
        """The demo stream, and whether it was made just now.

        Raises:
            Problem: 409: there is another stream of its name.
            ModelError: another model has the name of its model.
        """
        try:
            self.models.give(bundled())
            return self.roster.create(demo.RECORD), True
        except Problem as problem:
            if problem.status != 409:
                raise
            member = self.roster.get(demo.RECORD.id)
            if member.record.source != demo.SOURCE:
                raise
            return member, False

    def enter(self, key: str = "") -> Visit:
        """A client wants to stay connected.

        Args:
            key: id of the key that it has shown; "": none.

        Raises:
            Problem: 503: there are too many, or the service is stopping; 429: too many of its key.
        """
        if self.draining.is_set():
            raise Problem(503, "the service is stopping", retry_after=5)
        return self.visits.enter(key)

    def _build(self, precision: Precision) -> None:
        settings = self.settings
        sessions = Sessions(self.store.sessions, seconds=86_400 * settings.session_days)
        self.access = Access(self.store.keys, on=settings.auth_on, sessions=sessions, origins=settings.allowed_origins)
        workers = Workers.for_device(self._device)
        self.models = Models(settings.models_folder, device=self._device, precision=precision, workers=workers)
        self.repeats = Repeats(self.store.requests)
        self.pictures = Pictures(stalled_after=settings.stalled_after_s)
        self.hub = Hub(self.store.epoch, self.store, kept=settings.replay_count, kept_seconds=settings.replay_seconds)
        short_of_space = disk_is_short(settings.data_dir, settings.min_free_disk_bytes)
        age = settings.clips_max_age_days
        self.recorder = Recorder(
            settings.data_dir / "events",
            self.store.files,
            times=ClipTimes(settings.clip_before_s, settings.clip_after_s, settings.clip_max_s),
            limits=ShelfLimits(settings.clips_max_bytes, None if age is None else 86_400 * age, short_of_space),
            memory=settings.clip_memory_bytes,
            event=self.store.event,
            on_files=self._filed,
        )
        self.alerting = Alerting(settings, self.store, self._stream_states)
        announcer = Announcer(
            self.store,
            watch=lambda id: self.roster.watch(id),
            publish=lambda said: self.in_loop(lambda: self._publish(said)),
            on_scores=self._scored,
            listeners=(self.recorder, *self.alerting.listeners),
            on_stored=self.alerting.dispatcher.wake,
        )
        batch = settings.max_batch or (8 if self._device.type == "cpu" else 64)
        limits = ScorerLimits(BatchLimits(batch), settings.batch_wait_ms / 1000)
        self.scorer = Scorer(on_results=announcer, on_batch=self.metrics.batch, limits=limits)
        self.roster = Roster(
            *(settings, self.store, self.models, self.scorer, self.hub, announcer, self.recorder), in_loop=self.in_loop
        )
        self.activation = Activation(self.models, self.roster, self.scorer.warm, settings.data_dir / "active-model")
        self.jobs = Jobs(settings, self.store.jobs, self.models, self.scorer)
        self.learner = Learner(settings, self.store.learnings, self.models, self.roster, warm=self.scorer.warm)

    def _open(self) -> None:
        settings = self.settings
        if settings.auth_on and not any(key.revoked is None for key in self.store.keys.all()):
            key, record = mint("admin", ("admin",), time.time())
            path = write_admin_key(settings.data_dir, key)  # first: one that is stored alone lets nobody in
            self.store.keys.put(record)
            log.info("the first key is in %s", path)
        if self.access.sessions is not None:
            self.access.sessions.load()
        self.activation.begin(settings.model)
        if any(stream.source == demo.SOURCE for stream in self.store.streams()):
            with suppress(ModelError, CheckpointError):  # the stream itself will say that its model is not there
                self.models.give(bundled())
        self.recorder.start()
        self.roster.restore()
        self.alerting.start()
        self.jobs.start()
        self.learner.start()
        self._retention = Retention(
            self.store.upkeep,
            max_bytes=settings.scores_max_bytes,
            max_age_s=None if settings.scores_max_age_days is None else 86_400 * settings.scores_max_age_days,
            jobs=JobLimits(
                settings.jobs_max_count,
                settings.jobs_max_bytes,
                None if settings.jobs_max_age_days is None else 86_400 * settings.jobs_max_age_days,
            ),
            short_of_space=disk_is_short(settings.data_dir, settings.min_free_disk_bytes),
        )
        self._retention.start()

    def _drain(self) -> None:
        """What has come in is scored and stored."""
        self.learner.stop()
        self.roster.close_sources()
        self.jobs.stop()
        if not self.scorer.stop(self.settings.drain_seconds):
            log.warning("some frames were not scored in %g s and are lost", self.settings.drain_seconds)
        self.roster.close()
        self.recorder.stop()
        self.alerting.stop()
        if self._retention is not None:
            self._retention.close()
        try:
            self.store.commit_scores([]).result(self.settings.drain_seconds)
        except (CancelledError, Exception) as error:
            log.warning("the last scores may not be stored: %s", error)

    def _publish(self, said: list[Message]) -> None:
        self.hub.publish(said)
        for stream in {message.stream for message in said if message.stream is not None}:
            self.pictures.stir(stream)

    def _filed(self, files: EventFiles) -> None:
        said = event_files(files, self.store.epoch, self.settings.root_path)
        self.in_loop(lambda: self._publish([said]))

    def _measure(self) -> None:
        metrics = self.metrics
        metrics.streams(lambda: self.roster)
        metrics.gauge("streams", "Streams", lambda: len(self.roster))
        metrics.gauge("streams_live", "Streams whose frames arrive", self._live)
        metrics.gauge("clients", "Open websockets and event streams", lambda: len(self.visits))
        metrics.gauge("subscribers", "Subscriptions", lambda: self.hub.subscribers)
        metrics.gauge("messages_lost", "Messages that subscribers were too slow for", lambda: self.hub.lost)
        metrics.gauge("scorer_restarts", "Restarts of the engine after a crash", lambda: self.scorer.restarts)
        metrics.gauge("store_waiting", "Scores and events that wait to be stored", lambda: self.store.waiting)
        metrics.gauge("backlog_bytes", "Frames of all streams that wait", lambda: self.roster.backlog.waiting)
        metrics.gauge("readers", "Processes that read cameras and files", lambda: len(self.roster.readers()))
        metrics.gauge("reader_memory_bytes", "Memory of these processes", self._reader_memory)
        metrics.gauge("jobs_waiting", "Videos that wait or are being scored", lambda: self.jobs.open)
        self.recorder.measure(metrics)
        self.alerting.measure(metrics)
        metrics.gauge("ready", "Whether the service is ready", lambda: not self.reasons())

    def _stream_states(self) -> list[StreamState]:
        return [StreamState(member.id, member.record.name, member.health is Health.LIVE) for member in self.roster]

    def _scored(self, scores: Sequence[Score]) -> None:
        self.metrics.scores(scores)
        self.alerting.scores(scores)

    def _live(self) -> float:
        return sum(member.health is Health.LIVE for member in self.roster)

    def _reader_memory(self) -> float:
        return sum(one.vitals.rss for one in self.roster.readers() if one.vitals is not None)

    async def _tick(self) -> None:
        for second in itertools.count(1):
            await asyncio.sleep(1)
            try:
                self.roster.tick()
                if self.visits.with_keys:
                    await self._check_keys()
                if second % _KEPT_EVERY == 0:
                    await asyncio.to_thread(self.roster.keep_references)
            except Exception:  # a fault in one of them must not end them all for months
                log.exception("what is done every second has failed")

    async def _check_keys(self) -> None:
        try:
            self.visits.keep_only(await self.access.valid())
        except Exception as error:  # a store in trouble: they are checked again in a second
            log.warning("which keys are valid is not known at present: %s", error)
