"""One reading child as the service sees it: told what to read, listened to, and replaced when it is lost."""

from __future__ import annotations

import logging
import queue
import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Final

from service.children import Child
from service.readers.backoff import Backoff
from service.readers.bell import Bell
from service.readers.charge import Charge, Listener
from service.readers.failures import ErrorClass
from service.readers.protocol import Condition, Order, ReadOptions, Vitals, dropped_of, frame_of, still_of
from service.records import Health, IncomingFrame
from service.wire import Message, WireError

log = logging.getLogger(__name__)

_TO_START: Final = 60.0  # seconds that a child may take for its imports on a busy machine
_LIVED: Final = 30.0  # seconds after which a child that is lost counts as one that had worked
_SUSPECT: Final = 2  # losses after which a source gets a child of its own
_MODULE: Final = "service.readers.child"


class _Lost(Exception):
    """The child is gone, or has to go; the message says how, `key` on account of which source."""

    def __init__(self, how: str, key: int | None = None) -> None:
        super().__init__(how)
        self.key = key


class Crew:
    """A thread, its child, and the sources the child reads.

    Attributes:
        alone: it is there for one suspect source and gets no others.
        vitals: as the child last said.
        pid: of the child; None while there is none.
    """

    def __init__(
        self,
        options: ReadOptions,
        listener: Listener,
        *,
        silence: float,
        alone: bool = False,
        leave: Callable[[Crew], bool],
        finished: Callable[[Charge], None],
        suspect: Callable[[Charge], None],
    ) -> None:
        """Makes it; `start` begins.

        Args:
            options: of the child.
            listener: who wants to know.
            silence: seconds after which a child that says nothing is replaced.
            alone: see above.
            leave: asked when no source is left: whether the crew may end.
            finished: told of a source that has ended or failed for good.
            suspect: told of a source that should get a crew of its own.
        """
        self.alone = alone
        self.vitals: Vitals | None = None
        self.pid: int | None = None
        self._options = options
        self._listener = listener
        self._silence = silence
        self._leave, self._finished, self._suspect = leave, finished, suspect
        self._charges: dict[int, Charge] = {}
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._bell = Bell()
        self._child: Child | None = None
        self._closing = False
        self._backoff = Backoff(options.first_wait, options.longest_wait)
        self._thread = threading.Thread(target=self._run, name="framewatch-crew", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def add(self, charge: Charge) -> None:
        """Take a source into its care."""
        self._call(lambda: self._add(charge))

    def remove(self, charge: Charge) -> None:
        """Read a source no longer."""
        charge.removed = True
        self._call(lambda: self._remove(charge))

    def change(self, charge: Charge, order: Order) -> None:
        """Change a source's policy and rate."""
        self._call(lambda: self._change(charge, order))

    def room(self, charge: Charge) -> None:
        """There is room for a source's frames again."""
        self._call(lambda: self._hand_over(charge))

    def close(self) -> None:
        """End with everything, soon; `join` waits for it."""
        self._closing = True
        self._call(lambda: None)

    def join(self, seconds: float) -> None:
        """Wait until it has ended."""
        self._thread.join(seconds)

    def _call(self, call: Callable[[], None]) -> None:
        """Have the crew's thread do something."""
        self._calls.put(call)
        self._bell.ring()

    def _run(self) -> None:
        try:
            while not self._is_done():
                begun = time.monotonic()
                lost = self._serve_and_dismiss()
                if lost is None:
                    continue
                if time.monotonic() - begun > _LIVED:
                    self._backoff.reset()
                self._mourn(lost)
                self._pause(self._backoff.next())
        finally:
            self._bell.close()

    def _serve_and_dismiss(self) -> _Lost | None:
        """Have a child read until no source is left, or until it is lost."""
        try:
            self._serve()
        except _Lost as lost:
            return lost
        except Exception:  # the sources must not end in silence
            log.exception("a fault in the care of a reading process")
            return _Lost("a fault of the service's own")
        finally:
            self._dismiss()
        return None

    def _is_done(self) -> bool:
        if not self._closing and not self._charges and self._calls.empty():
            self._closing = self._leave(self)
        return self._closing

    def _serve(self) -> None:
        """Start a child and listen to it until no source is left. Raises _Lost."""
        try:
            child = self._child = Child(_MODULE)
        except OSError as error:
            raise _Lost(f"no process can be started for it: {error.strerror}") from None
        self.pid = child.pid
        self._tell(self._options.message())
        for charge in self._charges.values():
            self._tell(charge.order.message())
        heard, patience = time.monotonic(), _TO_START + self._silence
        while not self._is_done():
            wire_ready, woken = self._wait(1.0)
            if woken:
                self._do_calls()
            if wire_ready:
                self._listen(child)
                heard, patience = time.monotonic(), self._silence
            elif time.monotonic() - heard > patience:
                raise _Lost("does not answer")

    def _wait(self, seconds: float) -> tuple[bool, bool]:
        """Whether the child says something, and whether there are calls."""
        poll = select.poll()
        poll.register(self._bell, select.POLLIN)
        if self._child is not None:
            poll.register(self._child.wire, select.POLLIN)
        ready = {found for found, _ in poll.poll(seconds * 1000)}
        return len(ready - {self._bell.fileno()}) > 0, self._bell.fileno() in ready

    def _do_calls(self) -> None:
        self._bell.hush()
        while True:
            try:
                call = self._calls.get_nowait()
            except queue.Empty:
                return
            call()

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._closing and (left := until - time.monotonic()) > 0:
            _, woken = self._wait(left)
            if woken:
                self._do_calls()

    def _listen(self, child: Child) -> None:
        """Take in one message. Raises _Lost."""
        try:
            message = child.wire.receive(self._silence)
            if message is None:
                raise _Lost(child.ending())
            self._take_in(message)
        except TimeoutError:
            raise _Lost("does not answer") from None
        except OSError:
            raise _Lost(child.ending()) from None
        except WireError as error:
            raise _Lost(f"said what it should not: {error}") from None

    def _take_in(self, message: Message) -> None:
        if message.kind == "vitals":
            self.vitals = Vitals.of(message)
            return
        charge = self._charges.get(message.number("key"))
        if charge is None or charge.removed:
            return
        if message.kind == "lost":
            raise _Lost(message.text("reason")[:200], charge.order.key)
        if message.kind == "condition":
            charge.held.append(Condition.of(message))
        elif message.kind == "still":
            captured, data = still_of(message)
            self._shield(partial(self._listener.still, charge.stream, captured, data))
            return
        elif message.kind == "frame":
            frame = frame_of(message)
            for cause, count in dropped_of(message).items():
                self._shield(partial(self._listener.dropped, charge.stream, cause, count))
            charge.order = replace(charge.order, first=frame.number + 1)
            charge.held.append(frame)
            if charge.losses and time.monotonic() - charge.lost_at > _LIVED:
                charge.losses = 0
        else:
            raise WireError(f"a message of the kind {message.kind!r}")
        self._hand_over(charge)

    def _hand_over(self, charge: Charge) -> None:
        """Hand over what came, in order, as far as it is taken."""
        taken = 0
        every = charge.order.policy == "every"
        while charge.held and not charge.removed:
            found = charge.held[0]
            if isinstance(found, IncomingFrame):
                if not self._shield(partial(self._listener.frame, charge.stream, found)) and every:
                    break
                taken += 1
            else:
                if found.health in (Health.ENDED, Health.FAILED):
                    self._remove(charge)
                    self._finished(charge)
                self._shield(partial(self._listener.condition, charge.stream, found))
            charge.held.popleft()
        if taken and every and charge.order.key in self._charges:
            self._tell(Message("more", {"key": charge.order.key, "taken": taken}))

    def _shield(self, call: Callable[[], object]) -> object:
        """A listener's fault is its own: what it was given counts as taken, and the other sources go on."""
        try:
            return call()
        except Exception:
            log.exception("what a source gave could not be taken")
            return True

    def _add(self, charge: Charge) -> None:
        if not charge.removed:
            self._charges[charge.order.key] = charge
            self._tell(charge.order.message())

    def _remove(self, charge: Charge) -> None:
        if self._charges.pop(charge.order.key, None) is not None:
            self._tell(Message("remove", {"key": charge.order.key}))

    def _change(self, charge: Charge, order: Order) -> None:
        charge.order = replace(order, first=charge.order.first)
        if charge.order.key in self._charges:
            self._tell(charge.order.message("change"))

    def _tell(self, message: Message) -> None:
        """Say something to the child, if there is one; that it is gone shows when it is listened to."""
        if self._child is not None:
            with suppress(OSError):
                self._child.wire.send(message)

    def _dismiss(self) -> None:
        child, self._child = self._child, None
        self.pid, self.vitals = None, None
        if child is not None:
            child.kill()

    def _mourn(self, lost: _Lost) -> None:
        """The child was lost: say so of its sources, and set apart those that it was lost with before."""
        log.warning("a reading process was lost (%s) with %d sources; it is replaced", lost, len(self._charges))
        now = time.monotonic()
        condition = Condition(Health.RECONNECTING, f"the process that read it was lost: {lost}", ErrorClass.READER)
        for charge in list(self._charges.values()):
            if lost.key is None:
                charge.losses += 1
            elif lost.key == charge.order.key:
                charge.losses += _SUSPECT
            charge.lost_at = now
            charge.held.append(condition)
            self._hand_over(charge)
            if charge.losses >= _SUSPECT and not self.alone and len(self._charges) > 1:
                del self._charges[charge.order.key]
                self._suspect(charge)
