"""What the page about alerts shows is so."""

from __future__ import annotations

import json
import re
import time
from typing import Any

from service.alerts.bodies import body
from service.alerts.records import Alert
from service.alerts.signing import sign
from service.messages import event_facts
from tests.conftest import ROOT
from tests.service.stored import event

PAGE = (ROOT / "docs/alerts.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


def test_the_check_of_a_signature_is_one() -> None:
    space: dict[str, Any] = {}
    exec(block("python"), space)  # noqa: S102
    check = space["is_genuine"]
    good = sign("secret", b"{}", time.time())
    assert check("secret", b"{}", good)
    assert not check("secret", b"{1}", good) and not check("other", b"{}", good)
    assert not check("secret", b"{}", sign("secret", b"{}", time.time() - 400))


def test_the_message_has_the_fields_that_messages_have() -> None:
    facts = {"stream": {"id": "gate", "name": "North gate"}, "event": event_facts(event())}
    made = json.loads(body(Alert(1, "one", 17, "event.closed", "key", facts, 0.0), "https://monitor.example"))
    shown = json.loads(block("json"))
    assert shown.keys() == made.keys()
    assert all(shown[name].keys() == made[name].keys() for name in ("stream", "event", "links"))
    assert shown["links"] == made["links"]
