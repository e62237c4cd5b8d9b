"""Sends what waits in the outbox: each message until it has arrived, or for a day."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final, Protocol

from service.alerts import bodies, signing
from service.alerts.posting import Reply
from service.alerts.records import Alert, Webhook
from service.rounds import Rounds
from service.store import StoreUnavailable

FIRST_WAIT: Final = 5.0
LONGEST_WAIT: Final = 3600.0
LASTS: Final = 86_400.0
"""Seconds after which a message that has not arrived is given up."""

_KEPT_FOR: Final = 30 * 86_400.0
_KEPT: Final = 100_000
_PRUNE_EVERY: Final = 3600.0
_LOOK_EVERY: Final = 30.0
_AT_ONCE: Final = 8
_GONE: Final = 410  # the receiver says that it wants no more of them
log = logging.getLogger(__name__)


class Outbox(Protocol):
    """Where messages wait (`Store.outbox`)."""

    def webhooks(self) -> list[Webhook]: ...
    def next(self, webhook: str, now: float) -> Alert | None: ...
    def next_due(self, webhook: str) -> float | None: ...
    def settle(self, alert: Alert) -> None: ...
    def prune(self, before: float, most: int, limit: int) -> int: ...


class Post(Protocol):
    """Sends a request (`Poster.post`)."""

    def __call__(self, url: str, body: bytes, headers: dict[str, str]) -> Reply: ...


@dataclass(slots=True)
class _Receiver:
    """What is known of a webhook's receiver.

    Attributes:
        failures: attempts in a row that failed.
        held_until: seconds since 1970; nothing is sent before.
        busy: a request is under way.
        error: of the last attempt, or "".
    """

    failures: int = 0
    held_until: float = 0.0
    busy: bool = False
    error: str = ""


class Dispatcher:
    """One thread looks what is due; a few send, to each receiver one message at a time.

    A message that fails is tried again after a wait that doubles, and the others to that receiver wait with it: of
    those, the one that was tried least often goes first, so that one that is never taken keeps none back.

    Attributes:
        sent, failed, dead: attempts that arrived, that did not, and messages given up, so far.
    """

    def __init__(
        self,
        outbox: Outbox,
        post: Post,
        *,
        base: str = "",
        clock: Callable[[], float] = time.time,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """Makes it; `start` begins.

        Args:
            outbox: where messages wait.
            post: sends one.
            base: address of the service, for links.
            clock: seconds since 1970.
            uniform: draws a number between two.
        """
        self.sent = 0
        self.failed = 0
        self.dead = 0
        self._outbox = outbox
        self._post = post
        self._base = base
        self._clock = clock
        self._uniform = uniform
        self._receivers: dict[str, _Receiver] = {}
        self._pruned = 0.0
        self._pool = ThreadPoolExecutor(_AT_ONCE, "framewatch-alert")
        self._rounds = Rounds("framewatch-alerts", self._hand_out)

    def start(self) -> None:
        """Begins to send."""
        self._rounds.start()

    def stop(self) -> None:
        """Ends; what is under way is waited for, what waits is sent after the next start."""
        self._rounds.stop()
        self._pool.shutdown(cancel_futures=True)

    def wake(self) -> None:
        """Something may be due."""
        self._rounds.wake()

    def release(self, webhook: str) -> None:
        """Tries a receiver again now: it was changed, or somebody asked for it."""
        receiver = self._receiver(webhook)  # which may be busy: a message that is under way is not sent twice
        receiver.failures, receiver.held_until, receiver.error = 0, 0.0, ""
        self.wake()

    def error(self, webhook: str) -> str:
        """Why the last attempt to a receiver failed, or ""."""
        receiver = self._receivers.get(webhook)
        return "" if receiver is None else receiver.error

    def test(self, webhook: Webhook) -> Reply:
        """Sends a message of no meaning now, once. Blocks."""
        return self._send(webhook, bodies.trial(webhook, self._clock()))

    def round(self) -> float:
        """Sends one message of every webhook that has one due and is not held; for tests, in this thread.

        Returns:
            When the next one is due, seconds since 1970.
        """
        for webhook, alert in self._due():
            self._attempt(webhook, alert)
        return self._next_look()

    def _hand_out(self) -> float:
        """Has what is due sent; gives the seconds until the next look."""
        wait = _LOOK_EVERY
        if self._rounds.stopping:
            return wait
        try:
            for webhook, alert in self._due():
                self._receiver(webhook.id).busy = True
                self._pool.submit(self._work, webhook, alert)
            wait = self._next_look() - self._clock()
            if self._clock() - self._pruned >= _PRUNE_EVERY:
                self._pruned = self._clock()
                self._outbox.prune(self._pruned - _KEPT_FOR, _KEPT, 1000)
        except StoreUnavailable as error:
            log.info("alerts wait: %s", error)
        except Exception:
            log.exception("alerts could not be looked for")
        return min(max(wait, 0.05), _LOOK_EVERY)

    def _due(self) -> list[tuple[Webhook, Alert]]:
        now = self._clock()
        found = []
        for webhook in self._outbox.webhooks():
            receiver = self._receiver(webhook.id)
            if webhook.enabled and not receiver.busy and receiver.held_until <= now:
                alert = self._outbox.next(webhook.id, now)
                if alert is not None:
                    found.append((webhook, alert))
        return found

    def _next_look(self) -> float:
        """When something may be due; a receiver that is busy wakes by itself."""
        moments = [self._clock() + _LOOK_EVERY]
        for webhook in self._outbox.webhooks():
            receiver = self._receiver(webhook.id)
            due = None if receiver.busy or not webhook.enabled else self._outbox.next_due(webhook.id)
            if due is not None:
                moments.append(max(due, receiver.held_until))
        return min(moments)

    def _receiver(self, webhook: str) -> _Receiver:
        return self._receivers.setdefault(webhook, _Receiver())

    def _work(self, webhook: Webhook, alert: Alert) -> None:
        receiver = self._receiver(webhook.id)
        try:
            self._attempt(webhook, alert)
        except StoreUnavailable as error:
            receiver.held_until = self._clock() + FIRST_WAIT  # it is sent again, with the same key
            log.info("alert %d: what became of it cannot be stored: %s", alert.id, error)
        except Exception:
            receiver.held_until = self._clock() + LONGEST_WAIT
            log.exception("alert %d could not be sent", alert.id)
        finally:
            receiver.busy = False
            self.wake()

    def _attempt(self, webhook: Webhook, alert: Alert) -> None:
        receiver = self._receiver(webhook.id)
        reply = self._send(webhook, alert)
        now = self._clock()
        alert = replace(alert, attempts=alert.attempts + 1, error=reply.error)
        receiver.error = reply.error
        if not reply.error:
            receiver.failures, receiver.held_until = 0, 0.0
            self.sent += 1
            self._outbox.settle(replace(alert, state="sent"))
            return
        self.failed += 1
        receiver.failures += 1
        asked = reply.retry_after or 0.0
        receiver.held_until = now + max(asked, self._wait(receiver.failures))
        due = now + max(asked, self._wait(alert.attempts))
        if due - alert.since > LASTS or reply.status == _GONE:
            self.dead += 1
            log.warning("webhook %s: alert %d is given up: %s", webhook.id, alert.id, reply.error)
            alert = replace(alert, state="dead")
        elif receiver.failures == 1:
            log.warning("webhook %s: an alert did not arrive, it is sent again: %s", webhook.id, reply.error)
        self._outbox.settle(replace(alert, due=due))

    def _send(self, webhook: Webhook, alert: Alert) -> Reply:
        body = bodies.body(alert, self._base)
        headers = bodies.headers(alert)
        headers[signing.HEADER] = signing.sign(webhook.secret, body, self._clock())
        return self._post(webhook.url, body, headers)

    def _wait(self, failures: int) -> float:
        """Seconds after so many failures: half of the full wait at least, so that receivers are not hit in step."""
        wait = min(FIRST_WAIT * 2.0 ** min(failures - 1, 20), LONGEST_WAIT)
        return self._uniform(wait / 2, wait)
