"""Behind TLS, behind a proxy that shows it at a path of its own, for pages elsewhere: real sockets and certificates."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import httpx2
import orjson
import pytest
from websockets.sync.client import connect

from service.app import create_app
from service.commands.serve import server_config
from service.faults import InputError
from service.settings import Settings, SettingsError
from tests.e2e.serving import served
from tests.model.drawn import write_video


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1 and its key, in one file."""
    folder = tmp_path_factory.mktemp("tls")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=framewatch", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(command, check=True, capture_output=True)
    (folder / "both.pem").write_bytes((folder / "key.pem").read_bytes() + (folder / "cert.pem").read_bytes())
    return folder / "both.pem"


def test_over_tls_requests_websockets_and_logins_work(tmp_path: Path, certificate: Path) -> None:
    trusting = ssl.create_default_context(cafile=str(certificate.parent / "cert.pem"))
    with served(tmp_path, auth="on", ssl_certfile=certificate) as running:
        url = running.url.replace("http", "https", 1)
        key = (tmp_path / "admin.key").read_text().strip()
        with httpx2.Client(base_url=url, verify=trusting, timeout=60) as client:
            answer = client.post("/v1/session", json={"key": key})
            assert answer.status_code == 200
            assert "secure" in answer.headers["set-cookie"].lower()
            assert client.get("/v1/streams").json() == {"streams": []}
        with connect(
            url.replace("https", "wss", 1) + "/v1/scores",
            ssl=trusting,
            additional_headers={"X-API-Key": key},
            proxy=None,
        ) as socket:
            assert orjson.loads(socket.recv(timeout=60))["type"] == "hello"
        with httpx2.Client(base_url=running.url, timeout=60) as plain, pytest.raises(httpx2.TransportError):
            plain.get("/healthz")


def test_a_certificate_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("none")
    settings = Settings(data_dir=tmp_path, ssl_certfile=tmp_path / "cert.pem")
    with pytest.raises((OSError, InputError)):
        server_config(create_app(settings), settings).load()
    with pytest.raises((SettingsError, ValueError), match="ssl_certfile"):
        Settings(data_dir=tmp_path, ssl_keyfile=tmp_path / "key.pem")


def test_a_page_of_an_allowed_origin_may_send_every_header_that_requests_take(tmp_path: Path) -> None:
    page = "https://a.example"
    with (
        served(tmp_path, auth="on", allowed_origins=(page,)) as running,
        httpx2.Client(base_url=running.url, timeout=60) as client,
    ):
        paths = client.get("/openapi.json").json()["paths"]
        operations = [operation for methods in paths.values() for operation in methods.values()]
        taken = {one["name"] for each in operations for one in each.get("parameters", []) if one["in"] == "header"}
        assert {"Idempotency-Key", "Last-Event-ID"} <= taken
        asked = ", ".join(sorted(taken | {"Authorization", "Content-Type", "X-API-Key"}))
        wanted = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": asked}
        answer = client.options("/v1/streams", headers={"Origin": page, **wanted})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, page)
        assert client.options("/v1/streams", headers={"Origin": "https://b.example", **wanted}).status_code == 400


@pytest.mark.parametrize("stripped", [False, True], ids=["the proxy hands the path on", "the proxy strips it"])
def test_under_a_root_path_everything_points_below_it(tmp_path: Path, stripped: bool) -> None:
    with served(tmp_path, auth="on", root_path="/cameras") as running:
        key = (tmp_path / "admin.key").read_text().strip()
        base = running.url + ("" if stripped else "/cameras")
        with httpx2.Client(base_url=base, timeout=60) as client:
            answer = client.post("/v1/session", json={"key": key})
            assert "path=/cameras" in answer.headers["set-cookie"].lower()
            assert "secure" not in answer.headers["set-cookie"].lower()
            tls = client.post("/v1/session", json={"key": key}, headers={"X-Forwarded-Proto": "https"})
            assert "secure" in tls.headers["set-cookie"].lower()
            client.headers["X-API-Key"] = key
            made = client.post("/v1/streams", json={"id": "gate"})
            assert made.headers["location"] == "/cameras/v1/streams/gate"
            video = write_video(tmp_path / "v.mp4", 5).read_bytes()
            job = client.put("/v1/videos/v.mp4", content=video)
            assert job.headers["location"] == f"/cameras/v1/jobs/{job.json()['id']}"
            page = client.get("/docs").text
            assert "/cameras/openapi.json" in page
            assert client.get("/docs/assets/swagger-ui.css").status_code == 200
            assert client.get("/openapi.json").json()["servers"] == [{"url": "/cameras"}]
        with connect(
            base.replace("http", "ws", 1) + "/v1/streams/gate/scores", additional_headers={"X-API-Key": key}, proxy=None
        ) as socket:
            assert orjson.loads(socket.recv(timeout=60))["type"] == "hello"
