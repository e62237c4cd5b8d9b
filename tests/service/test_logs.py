"""Log lines have no secrets in them, and say which request they belong to."""

from __future__ import annotations

import json
import logging

import pytest

from service.logs import JsonLines, TextLines, request_id, without_secrets


def record(message: str, *arguments: object) -> logging.LogRecord:
    return logging.LogRecord("service.x", logging.WARNING, __file__, 1, message, arguments, None)


@pytest.mark.parametrize(
    "text",
    [
        "cannot open rtsp://user:hunter2@10.0.0.5/live",
        "Authorization: Bearer hunter2",
        "x-api-key=hunter2",
        "GET /v1/scores?ticket=hunter2&batch_ms=5",
        '{"authorization": "Bearer hunter2"}',
        "key fw_hunter2hunter2 was used",
    ],
)
def test_secrets_are_not_logged(text: str) -> None:
    assert "hunter2" not in without_secrets(text)


def test_what_is_no_secret_stays() -> None:
    assert without_secrets("stream gate: 3 frames of rtsp://10.0.0.5/live") == (
        "stream gate: 3 frames of rtsp://10.0.0.5/live"
    )


def test_what_a_client_names_does_not_look_like_a_line_of_its_own() -> None:
    line = TextLines().format(record("GET %s", "/v1/x\n2026-01-31T12:00:00.000Z CRITICAL forged\x1b[31m\u2028é"))
    assert line.endswith("GET /v1/x\n    2026-01-31T12:00:00.000Z CRITICAL forged\\x1b[31m\\u2028é")


def test_a_name_that_is_no_valid_text_costs_no_line() -> None:
    assert json.loads(JsonLines().format(record("job %s", "caf\udce9.mp4")))["message"] == "job caf\udce9.mp4"


def test_a_line_names_its_request() -> None:
    token = request_id.set("abc")
    try:
        assert TextLines().format(record("said %s", "this")).endswith("service.x: said this [abc]")
        assert json.loads(JsonLines().format(record("said")))["request_id"] == "abc"
    finally:
        request_id.reset(token)


def test_json_lines_hold_the_exception() -> None:
    try:
        raise ValueError("rtsp://user:hunter2@host/")
    except ValueError as error:
        one = record("failed")
        one.exc_info = (type(error), error, error.__traceback__)
    line = json.loads(JsonLines().format(one))
    assert "ValueError" in line["exception"]
    assert "hunter2" not in line["exception"]
    assert line["level"] == "warning"
