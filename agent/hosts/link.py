"""The long-lived connection to a host: made when it is wanted, made again whenever it breaks."""

from __future__ import annotations

import contextlib
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from luthier.trainers.errors import LuthierError

from .channel import Channel
from .connect import Connection
from .errors import DecisionNeededError, HostKeyChangedError, HostUnreachableError
from .far.wire import Frame
from .turns import Turns

_log = logging.getLogger(__name__)
_PING_SECONDS = 2.0
# The far end says something every 2 seconds.
_SILENCE_SECONDS = 12.0
_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 30.0
# A decision that is needed does not come by itself.
_DECISION_WAIT_SECONDS = 300.0
_IDLE_SECONDS = 600.0
_ATTEMPT_SECONDS = 100.0


class Follower(Protocol):
    """Who follows something on the host; asked anew for each connection."""

    def wish(self) -> Frame:
        """The fields of the ``follow`` request, from where we are."""

    def take(self, frame: Frame, body: bytes) -> None:
        """Take in what was pushed for it. It may not block for long."""


@dataclass
class Session:
    """One life of the link: a connection, its control channel, and who answers there.

    ``clock_skew`` is how many seconds the host's clock is ahead of ours; ``couriers`` are those
    channels for bulk that nobody uses now.
    """

    connection: Connection
    channel: Channel
    hello: Mapping[str, Any]
    clock_skew: float
    couriers: list[Channel] = field(default_factory=list)
    every_courier: list[Channel] = field(default_factory=list)


class Link:
    """One host's link. Every method may be called from any thread; ``ask`` and the like block.

    Args:
        name: the host's.
        dial: connects and starts a channel.
        greet: what is asked first, which says who and where the far end is.
        sample_seconds: how often the host tells of its hardware.
        changed: called on each connection and each loss.

    Attributes:
        turns: by path there, of those who bring something.
    """

    def __init__(
        self,
        name: str,
        dial: Callable[[], tuple[Connection, Channel]],
        greet: Callable[[Channel], Mapping[str, Any]],
        courier: Callable[[Connection], Channel],
        sample_seconds: float,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._name = name
        self._dial = dial
        self._greet = greet
        self._courier = courier
        self._sample_seconds = sample_seconds
        self._changed = changed
        self._condition = threading.Condition()
        self._followers: dict[str, Follower] = {}
        self._session: Session | None = None
        self._thread: threading.Thread | None = None
        self._begun = self._attempts = 0
        self._used_at = time.monotonic()
        self._wake = False
        self._closed = False
        self._couriers = threading.Lock()
        self.turns = Turns()
        self.down_since: float | None = None
        self.error: LuthierError | None = None
        self.hardware: tuple[float, Frame] | None = None

    # -- using it ------------------------------------------------------------------------------

    @property
    def session(self) -> Session | None:
        """The present connection; None while there is none."""
        return self._session

    @property
    def connected(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return self._session is not None

    def ask(
        self,
        op: str,
        body: bytes = b"",
        *,
        wake: bool = True,
        seconds: float = 60.0,
        **fields: Any,
    ) -> Frame:
        """Ask the far end, over a connection that is made when there is none.

        Args:
            op: what is asked for; ``fields`` belong to it.
            body: bytes that go with it.
            wake: try to connect at once, also when the last try has just failed.
            seconds: how long an answer may take.

        Raises:
            HostUnreachableError: there is no connection, or it was lost meanwhile.
            HostError: the host could not do it, or cannot be used, with the reason.
        """
        return self.ready(wake=wake).channel.ask(op, body, seconds=seconds, **fields)

    def ready(self, *, wake: bool = True) -> Session:
        """The connection, made when there is none. Raises like ask."""
        with self._condition:
            self._used_at = time.monotonic()
            self._start()
            if self._session is not None:
                return self._session
            # Without a failure there is a first try under way, which is worth waiting for.
            if self.error is not None and not wake:
                raise self._failure()
            # A try that is under way does not know yet what somebody has just told.
            before = self._begun
            self._wake = True
            self._condition.notify_all()
            self._condition.wait_for(
                lambda: self._session is not None or self._attempts > before or self._closed,
                timeout=_ATTEMPT_SECONDS,
            )
            if self._session is None:
                raise self._failure()
            return self._session

    def pose(self, question: DecisionNeededError, deadline: float) -> bool:
        """Tell a question of a login under way to whoever waits for the connection.

        Called by a thread that dials.

        Args:
            question: what a person must say.
            deadline: until when to wait for that, by the monotonic clock.

        Returns:
            whether somebody has come back, perhaps with an answer.
        """
        with self._condition:
            self.error = question
            self._attempts += 1
            self._condition.notify_all()
            come = self._condition.wait_for(
                lambda: self._wake or self._closed, timeout=deadline - time.monotonic()
            )
            self._wake = False
            self._begun += 1
            return come and not self._closed

    def wake(self) -> None:
        """Try to connect now, if there is no connection."""
        with self._condition:
            self._used_at = time.monotonic()
            self._wake = True
            self._start()
            self._condition.notify_all()

    def follow(self, key: str, follower: Follower) -> None:
        """Follow something for as long as it takes, over whatever connections there will be."""
        with self._condition:
            self._followers[key] = follower
            self._start()
            self._condition.notify_all()
            session = self._session
        if session is not None:
            self._begin_to_follow(session, key)

    def unfollow(self, key: str) -> None:
        """Follow it no more."""
        with self._condition:
            self._followers.pop(key, None)
            session = self._session
        if session is not None:
            with contextlib.suppress(HostUnreachableError):
                session.channel.send("unfollow", key=key)

    @contextlib.contextmanager
    def courier(self) -> Iterator[Channel]:
        """A channel for bulk, so that the other one stays prompt. Raises like ask."""
        session = self.ready()
        with self._couriers:
            channel = session.couriers.pop() if session.couriers else None
        if channel is None or channel.ended:
            channel = self._courier(session.connection)
            with self._couriers:
                living = [each for each in session.every_courier if not each.ended]
                session.every_courier = [*living, channel]
        try:
            yield channel
        except BaseException:
            # Answers may be on their way that nobody would expect.
            channel.close()
            raise
        with self._couriers:
            session.couriers.append(channel)

    def own_channel(self) -> Channel:
        """A new channel that the caller keeps and closes. Raises like ask."""
        return self._courier(self.ready().connection)

    def close(self) -> None:
        """End the link for good; what runs on the host goes on."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()
            session, thread = self._session, self._thread
        if session is not None:
            session.channel.close()
            session.connection.close()
        if thread is not None:
            thread.join(timeout=5)

    # -- keeping it ----------------------------------------------------------------------------

    @property
    def _wanted(self) -> bool:
        return bool(self._followers) or time.monotonic() - self._used_at < _IDLE_SECONDS

    def _start(self) -> None:
        if self._thread is None and not self._closed:
            self._thread = threading.Thread(
                target=self._keep, name=f"host {self._name}", daemon=True
            )
            self._thread.start()

    def _keep(self) -> None:
        failures = 0
        while not self._closed:
            with self._condition:
                self._wake = False
                self._begun += 1
            try:
                session = self._connect()
            except Exception as error:
                failures += 1
                self._note_failure(error)
                if not self._wait(failures, error):
                    return
                continue
            failures = 0
            self._serve(session)
            with self._condition:
                if self._closed or not self._wanted:
                    self._thread = None
                    return

    def _connect(self) -> Session:
        connection, channel = self._dial()
        try:
            thread = threading.Thread(
                target=channel.listen, args=(self._heard,), name=f"{self._name} in", daemon=True
            )
            thread.start()
            began = time.time()
            hello = self._greet(channel)
            skew = float(hello["time"]) - (began + time.time()) / 2
            channel.send("sample", seconds=self._sample_seconds)
        except BaseException:
            channel.close()
            connection.close()
            raise
        return Session(connection, channel, hello, skew)

    def _serve(self, session: Session) -> None:
        """Stand by a connection until it is lost or nobody wants it any more."""
        with self._condition:
            self._session, self.error, self.down_since = session, None, None
            self._attempts += 1
            self._condition.notify_all()
            keys = list(self._followers)
        _log.info("host %s: connected", self._name)
        self._changed()
        for key in keys:
            self._begin_to_follow(session, key)
        reason = "the connection was lost"
        while not session.channel.ended and self._wanted and not self._closed:
            channels = [session.channel, *session.every_courier]
            # Over a slow link bulk may hold up what the control channel would say.
            heard_at = max(channel.heard_at for channel in channels)
            if time.monotonic() - heard_at > _SILENCE_SECONDS:
                reason = f"nothing was heard for {_SILENCE_SECONDS:.0f} seconds"
                break
            for channel in channels:
                channel.ping()
            with self._condition:
                self._condition.wait_for(
                    lambda: session.channel.ended or self._closed, timeout=_PING_SECONDS / 2
                )
        lost = self._wanted and not self._closed
        with self._condition:
            self._session = None
            if lost:
                self.down_since = time.time()
                self.error = HostUnreachableError(f"{self._name}: {reason}.")
        session.channel.close()
        session.connection.close()
        _log.info("host %s: %s", self._name, reason if lost else "disconnected")
        self._changed()

    def _begin_to_follow(self, session: Session, key: str) -> None:
        follower = self._followers.get(key)
        if follower is None:
            return
        try:
            session.channel.ask("follow", **follower.wish())
        except LuthierError as error:
            _log.warning("host %s: %s: %s", self._name, key, error)

    def _heard(self, frame: Frame, body: bytes) -> None:
        if frame["push"] == "hardware":
            self.hardware = time.monotonic(), frame
        elif "key" in frame and (follower := self._followers.get(frame["key"])) is not None:
            try:
                follower.take(frame, body)
            except OSError as error:
                # A full disk here: asked for again from what there is, after a while.
                _log.warning("host %s: %s: %s", self._name, frame["key"], error)
                self._follow_later(frame["key"])

    def _follow_later(self, key: str) -> None:
        session = self._session
        if session is not None:
            session.channel.send("unfollow", key=key)
            timer = threading.Timer(2.0, self._begin_to_follow, (session, key))
            timer.daemon = True
            timer.start()

    def _note_failure(self, error: Exception) -> None:
        known = isinstance(error, LuthierError)
        with self._condition:
            news = str(error) != str(self.error)
            self.error = (
                error
                if isinstance(error, LuthierError)
                else HostUnreachableError(f"{self._name}: {type(error).__name__}: {error}.")
            )
            self.down_since = self.down_since or time.time()
            self._attempts += 1
            self._condition.notify_all()
        if news:
            _log.info("host %s: %s", self._name, error, exc_info=None if known else error)
        self._changed()

    def _wait(self, failures: int, error: Exception) -> bool:
        """Wait before the next try; whether there shall be one."""
        seconds = min(_LONGEST_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2 ** min(failures - 1, 10))
        if isinstance(error, DecisionNeededError | HostKeyChangedError):
            seconds = _DECISION_WAIT_SECONDS
        with self._condition:
            self._condition.wait_for(
                lambda: self._wake or self._closed, timeout=seconds * random.uniform(0.5, 1.5)
            )
            if self._closed or not self._wanted:
                self._thread = None
                self.down_since = None
                return False
            return True

    def _failure(self) -> LuthierError:
        return self.error or HostUnreachableError(f"{self._name} did not answer in time.")
