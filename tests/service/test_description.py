"""The interface describes itself: every operation has a name and its errors, and the examples are true."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter

from service.api.cameras import TrialBody, TrialView
from service.api.event_views import EventChange, EventView
from service.api.job_views import JobView
from service.api.session import Login, SessionView
from service.api.views import ScoreView, StreamBody, StreamChange, StreamView
from service.api.what_if import WhatIfView
from service.app import create_app
from service.settings import Settings

WITHOUT_KEYS = {"alive", "ready"}


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    found: dict[str, Any] = create_app(Settings(data_dir=Path(tmp_path_factory.mktemp("data")))).openapi()
    return found


def test_every_operation_has_a_name_of_its_own_and_declares_its_errors(described: dict[str, Any]) -> None:
    operations = [operation for path in described["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names) > 30
    for operation in operations:
        assert operation.get("description"), operation["operationId"]
        if operation["operationId"] not in WITHOUT_KEYS:
            assert {"401", "403", "422"} <= operation["responses"].keys(), operation["operationId"]
            assert "application/problem+json" in operation["responses"]["401"]["content"]


@pytest.mark.parametrize(
    "view",
    [
        *(StreamBody, StreamChange, StreamView, ScoreView, EventView, EventChange, JobView),
        *(TrialBody, TrialView, Login, SessionView, WhatIfView),
    ],
)
def test_examples_are_what_they_are_examples_of(view: type[BaseModel]) -> None:
    extra: Any = view.model_config.get("json_schema_extra")
    assert extra["examples"]
    for example in extra["examples"]:
        for name, value in example.items():
            field = view.model_fields[name]
            assert field.annotation is not None
            TypeAdapter(field.annotation).validate_python(value)
