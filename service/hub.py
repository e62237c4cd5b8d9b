"""From one publisher to many subscribers: nobody waits for anybody, and whoever missed something learns what."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from service import messages
from service.feeds import Entry, Feed
from service.messages import Message
from service.replay import History, Position
from service.subscription import Close, SubscriberLimits, Subscription

ENDED = Close(1000, "the stream was deleted")


class Hub:
    """The feeds of the streams, and one of all of them, with their subscribers. For one event loop's thread.

    A score must be committed before it is published: then whoever was away finds it in the store.

    Attributes:
        lost: messages that subscribers were too slow for, so far.
    """

    def __init__(
        self,
        epoch: int,
        history: History,
        *,
        kept: int = 256,
        kept_seconds: float = math.inf,
        kept_of_all: int = 4096,
        limits: SubscriberLimits | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Makes a hub without streams.

        Args:
            epoch: this run of the service.
            history: what is stored.
            kept: messages of a stream that are kept in memory for those who were away.
            kept_seconds: for so long.
            kept_of_all: messages of all streams together, for subscribers to all; they have no other.
            limits: what a subscriber may cost.
            monotonic: seconds.
        """
        self.lost = 0
        self._epoch = epoch
        self._history = history
        self._kept = kept
        self._kept_seconds = kept_seconds
        self._limits = limits or SubscriberLimits()
        self._monotonic = monotonic
        self._feeds: dict[str, Feed] = {}
        self._all = Feed(None, kept_of_all)
        self._subscribers: dict[Feed, set[Subscription]] = {self._all: set()}
        self._closed: Close | None = None

    @property
    def streams(self) -> int:
        """How many streams have a feed."""
        return len(self._feeds)

    @property
    def subscribers(self) -> int:
        """How many subscriptions there are."""
        return sum(map(len, self._subscribers.values()))

    def open(self, stream: str, newest: int = 0) -> None:
        """Begins the feed of a stream, if it has none.

        Args:
            stream: its id.
            newest: seq of its last score in this epoch, of an earlier stream of that id.
        """
        if stream not in self._feeds:
            feed = self._feeds[stream] = Feed(stream, self._kept, newest, seconds=self._kept_seconds)
            self._subscribers[feed] = set()

    def end(self, stream: str) -> None:
        """Ends the feed of a stream and says goodbye to its subscribers; nothing is kept of it."""
        feed = self._feeds.pop(stream, None)
        if feed is not None:
            for subscriber in self._subscribers.pop(feed):
                subscriber.end(ENDED)

    def close(self, code: int = 1012, reason: str = "the service restarts") -> None:
        """Says goodbye to everybody, also to those who are yet to come."""
        self._closed = Close(code, reason)
        for subscribers in self._subscribers.values():
            for subscriber in subscribers:
                subscriber.end(self._closed)

    def publish(self, said: Iterable[Message]) -> None:
        """Hands messages to their subscribers. Those of a stream without a feed go to nobody: it has just ended."""
        now = self._monotonic()
        for message in said:
            if message.stream is None:
                for feed in self._feeds.values():
                    self._add(feed, message, now)
            elif message.stream in self._feeds:
                self._add(self._feeds[message.stream], message, now)
            else:
                continue
            self._add(self._all, message, now)

    def subscribe(
        self,
        stream: str | None,
        *,
        since: Position | None = None,
        batch_ms: int = 0,
        facts: dict[str, Any] | None = None,
    ) -> Subscription:
        """A subscription, to be iterated over or delivered.

        Args:
            stream: its id; None: all streams.
            since: what the subscriber has already; None: it wants what is said from now on.
            batch_ms: milliseconds that messages are gathered for; every message is then a JSON array of them.
            facts: what else `hello` says.

        Raises:
            KeyError: there is no such stream.
        """
        feed = self._all if stream is None else self._feeds[stream]
        return Subscription(
            feed,
            self._epoch,
            self._history,
            since=since,
            hello=partial(self._hello, stream, facts or {}),
            batch=batch_ms / 1000,
            limits=self._limits,
            join=self._join,
            leave=self._leave,
        )

    def _hello(self, stream: str | None, facts: dict[str, Any], oldest: int, newest: int) -> bytes:
        return messages.hello(stream, self._epoch, oldest=oldest, newest=newest, facts=facts)

    def _add(self, feed: Feed, message: Message, now: float) -> None:
        entry: Entry = feed.add(message, now)
        for subscriber in self._subscribers[feed]:
            before = subscriber.lost
            subscriber.put(entry, now)
            self.lost += subscriber.lost - before

    def _join(self, subscription: Subscription) -> None:
        if self._closed is not None:
            subscription.end(self._closed)
        elif subscription.feed in self._subscribers:
            self._subscribers[subscription.feed].add(subscription)
        else:
            subscription.end(ENDED)

    def _leave(self, subscription: Subscription) -> None:
        self._subscribers.get(subscription.feed, set()).discard(subscription)
