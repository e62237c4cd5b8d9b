"""What docker/ gives to Prometheus and Grafana fits what the service says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from service.client import Client
from tests.conftest import ROOT
from tests.e2e.serving import served
from tests.model.detectors import INTERVAL, pictures
from tests.service.live import png

DOCKER = ROOT / "docker"


def named(text: str) -> set[str]:
    return set(re.findall(r"\b(?:framewatch|process)_[a-z_]+", text)) - {"framewatch_data"}


def test_metrics_of_the_dashboard_and_the_documentation_exist(tmp_path: Path) -> None:
    dashboard = json.loads((DOCKER / "grafana" / "framewatch.json").read_text(encoding="utf-8"))
    asked = named(" ".join(target["expr"] for panel in dashboard["panels"] for target in panel["targets"]))
    told = named((ROOT / "docs" / "operations.md").read_text(encoding="utf-8"))
    with served(tmp_path) as running, Client(running.url) as client:
        client.create_stream(id="gate", policy="every", max_rate=5)
        with client.ingest("gate", header=True) as sender:
            for number, image in enumerate(pictures(12)):
                sender.send(png(image), captured=number * INTERVAL)
            list(sender.finish())
        said = client.metrics()
    there = set(re.findall(r"^# TYPE (\S+)", said, re.MULTILINE)) | set(re.findall(r"^([a-z_]+)", said, re.MULTILINE))
    assert sorted(asked - there) == []
    assert sorted(told - there) == []


def test_files_that_compose_mounts_are_there() -> None:
    composed = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))
    for service in composed["services"].values():
        mounted = [volume.split(":")[0] for volume in service.get("volumes", []) if volume.startswith(".")]
        assert [path for path in mounted if not (DOCKER / path).is_file()] == []
        assert re.search(r":v?\d", service["image"]) or service["image"] == "framewatch"


def test_the_image_has_a_base_with_a_tag_and_a_user_without_rights() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    bases = [line.split()[1] for line in lines if line.startswith("FROM ")]
    assert [base for base in bases if ":" not in base and base != "dependencies"] == []
    assert "USER 10001:10001" in lines
