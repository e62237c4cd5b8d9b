"""Requests of every shape that the description of the interface allows, and of many that it does not.

    python -m bench.interface --examples 300

A service with a small model is started on this machine; of each operation, requests are drawn from its OpenAPI
description, valid ones and invalid ones. It must never answer with a fault of its own, nor with what it does not
describe. Every second request is about something that is there. Streams of events are left out, as they do not end,
and so is the demo, which takes no input and would keep the machine busy.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from service.client import Client
from tests.e2e.serving import Served, served
from tests.model.detectors import INTERVAL, pictures
from tests.model.drawn import write_video
from tests.service.live import png

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
_PATIENCE = 120.0
"""Seconds: more than the service itself waits for a camera that is tried."""
_SLOW = ("/v1/streams/test",)
"""Of these a tenth is enough: each request has a process of its own started, and waits for a camera."""


@dataclass
class InterfaceReport:
    """What came of the requests.

    Attributes:
        requests: how many were sent, by operation.
        faults: each kind of wrong answer once, with the request that it came to; status 0: there was no answer.
    """

    requests: Counter[str] = field(default_factory=Counter)
    faults: dict[tuple[str, int, str], str] = field(default_factory=dict)


def fuzz_interface(examples: int, number: int = 0) -> InterfaceReport:
    """Starts a service, and sends it so many requests of each kind for each operation.

    Args:
        examples: valid requests of each operation, and as many invalid ones.
        number: seed of what is drawn.
    """
    report = InterfaceReport()
    # limits that drawn requests do not reach: being told to come back later is no fault, and would hide others
    limits = {"max_streams": 100_000, "max_jobs": 100_000, "max_upload_bytes": 100_000, "open_timeout_s": 1.0}
    with tempfile.TemporaryDirectory() as folder, served(Path(folder) / "data", **limits) as running:
        known = _known(running, Path(folder))
        for operation in _operations(running.url):
            some = max(1, examples // 10) if operation.path in _SLOW else examples
            for mode in GenerationMode:
                _send(operation, mode, some, number, known, report)
            if operation.method.upper() not in ("GET", "HEAD"):
                known = _known(running, Path(folder))
    return report


def _known(running: Served, folder: Path) -> dict[str, object]:
    """Makes a stream with scores and an event, and a job, where they are not there (any more); their ids."""
    with Client(running.url, timeout=_PATIENCE) as client:
        client.put_stream("gate", policy="every", threshold=1e-6, minimum=0)
        if not any(client.events(stream="gate")):
            with client.ingest("gate", header=True) as sender:
                for n, image in enumerate(pictures(12)):
                    sender.send(png(image), captured=n * INTERVAL)
                list(sender.finish())
        if not (jobs := list(client.jobs())):
            video = write_video(folder / "1.mp4", 12)
            jobs = [client.wait_for_job(client.put_video(video)["id"])]
        return {"streams": "gate", "jobs": jobs[-1]["id"], "events": next(client.events(stream="gate"))["id"]}


def _operations(url: str) -> Iterator[APIOperation[Any, Any, Any, Any]]:
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    found: Any
    for found in schema.get_all_operations():
        operation = found.ok()
        assert operation is not None, f"{found} is described wrongly"
        if not operation.path.endswith(("/sse", "/demo")):
            yield operation


def _send(
    operation: APIOperation[Any, Any, Any, Any],
    mode: GenerationMode,
    examples: int,
    number: int,
    known: dict[str, object],
    report: InterfaceReport,
) -> None:
    there = known.get(operation.path.split("/")[2]) if "{id}" in operation.path else None

    def send(case: Case[Any]) -> None:
        report.requests[operation.label] += 1
        if there is not None and report.requests[operation.label] % 2:
            case.path_parameters["id"] = there
        try:
            response = case.call(timeout=_PATIENCE)
        except OSError as error:  # what requests raises is one, its timeouts too
            report.faults.setdefault((operation.label, 0, type(error).__name__), f"{error} to {case.as_curl_command()}")
            return
        try:
            case.validate_response(response, checks=CHECKS)
        except FailureGroup as group:
            for failure in group.exceptions:
                kind = (operation.label, response.status_code, type(failure).__name__)
                report.faults.setdefault(kind, f"{failure} in answer to {case.as_curl_command()}")

    limits = settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    seed(number)(limits(given(case=operation.as_strategy(generation_mode=mode))(send)))()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=300, metavar="N", help="of each operation, twice")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    given = parser.parse_args()
    started = time.monotonic()
    report = fuzz_interface(given.examples, given.seed)
    spent = time.monotonic() - started
    print(f"{report.requests.total()} requests to {len(report.requests)} operations in {spent:.0f} s")
    print(f"  faults: {len(report.faults)}")
    for (label, status, kind), said in report.faults.items():
        print(f"    {label} {status} {kind}: {said}")
    sys.exit(bool(report.faults))


if __name__ == "__main__":
    main()
