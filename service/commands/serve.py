"""`framewatch serve`: the service on a socket, until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import resource
import signal
import socket
from typing import Any

import uvicorn
import uvloop
from fastapi import FastAPI

from service import logs
from service.app import create_app
from service.faults import InputError
from service.monitor import Monitor
from service.patience import Silence
from service.protocols import Http, Websocket
from service.settings import Settings, is_loopback
from service.watchdog import watched

_ROOM = 1 << 16  # bytes of a message over the frame limit that still get an answer before the socket is closed
_HEAD = 30.0  # seconds that the head of a request may take
_BACKLOG = 2048  # connections that wait to be accepted
_LOOK = 10  # of the server's ticks, of which there are ten a second
log = logging.getLogger(__name__)


class DrainingServer(uvicorn.Server):
    """Drains the service before it closes connections, so that everybody gets the last scores and a goodbye."""

    def __init__(self, config: uvicorn.Config, monitor: Monitor) -> None:
        super().__init__(config)
        self._monitor = monitor
        self._silence = Silence(_HEAD)

    async def run_monitored(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts the service, and serves it until a signal comes.

        Raises:
            InputError: the address cannot be listened on.
            StoreError, ModelError, DeviceError: it cannot be started.
        """
        with watched(lambda: self._monitor.stuck, self._monitor.settings.engine_hang_seconds):
            await self._monitor.start()
            try:
                if not self.should_exit:
                    for address in sockets or ():
                        _listen(address, self._monitor.settings)
                    await self.serve(sockets)
            finally:
                await self._monitor.stop()

    async def on_tick(self, counter: int) -> bool:
        if not counter % _LOOK:
            self._silence.look(self.server_state.connections)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()  # no new connections
        await self._monitor.stop()
        await asyncio.sleep(0.1)  # the last messages leave
        await super().shutdown(sockets)


def server_config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    """How uvicorn is to serve."""
    password = settings.ssl_keyfile_password
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=Http,
        ws=Websocket,
        ws_max_size=settings.max_frame_bytes + _ROOM,
        ws_per_message_deflate=False,
        log_config=None,
        access_log=False,
        server_header=False,
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_graceful_shutdown=5,
        ssl_certfile=settings.ssl_certfile,
        ssl_keyfile=settings.ssl_keyfile,
        ssl_keyfile_password=None if password is None else password.get_secret_value(),
    )


def run(settings: Settings) -> None:
    """Serves until SIGTERM or Ctrl-C, then drains.

    Raises:
        InputError: the address cannot be listened on, or the certificate cannot be read.
        StoreError, ModelError, DeviceError: it cannot be started.
    """
    logs.configure(settings.log_level, settings.log_format)
    allow_descriptors()
    app = create_app(settings)
    config = server_config(app, settings)
    try:
        config.load()
    except OSError as error:
        raise InputError(f"the TLS certificate or its key cannot be used: {error}") from error
    address = _bind(settings)
    server = DrainingServer(config, app.state.monitor)

    def stop(number: int, frame: Any) -> None:
        """Before it serves: it will not. Then uvicorn drains, and raises the signal again for us when it is done."""
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    log.info("starting with the data folder %s", settings.data_dir)
    with address, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(server.run_monitored([address]))


def allow_descriptors(most: int = 65_536) -> None:
    """Raises this process's limit of open sockets and files as far as it may: many systems begin with 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most if hard == resource.RLIM_INFINITY else min(most, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _bind(settings: Settings) -> socket.socket:
    """The address, if it is free. It is listened on once the model is warm: who comes before is refused at once, and
    does not wait for an answer.
    """
    host = settings.host.strip("[]")
    try:
        family = socket.getaddrinfo(host, settings.port, type=socket.SOCK_STREAM)[0][0]
        address = socket.socket(family, socket.SOCK_STREAM)
        try:
            address.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                address.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            address.bind((host, settings.port))
        except BaseException:
            address.close()
            raise
    except OSError as error:
        raise _cannot_listen(settings, error) from error
    return address


def _listen(address: socket.socket, settings: Settings) -> None:
    """Lets clients in, and says where."""
    try:
        address.listen(_BACKLOG)
    except OSError as error:  # somebody else was quicker while the model was loaded
        raise _cannot_listen(settings, error) from error
    scheme = "https" if settings.ssl_certfile else "http"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"{scheme}://{host}:{address.getsockname()[1]}{settings.root_path}"
    keys = "with keys" if settings.auth_on else "without keys"
    log.info("serving on %s, %s; /docs describes it", url, keys)
    if not settings.auth_on and not is_loopback(settings.host):
        log.warning("everybody who reaches %s can use everything: keys are turned off", url)


def _cannot_listen(settings: Settings, error: OSError) -> InputError:
    return InputError(f"cannot listen on {settings.host.strip('[]')} port {settings.port}: {error.strerror or error}")
