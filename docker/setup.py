"""For compose.yaml: a key for Prometheus, and a stream of a camera; what is there already stays.

python setup.py SERVICE CAMERA
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from service.client import Client

KEY = Path("/keys/prometheus")
ADMIN_KEY = Path("/data/admin.key")
PATIENCE = 60.0
"""Seconds: the camera's ffmpeg may not have begun, and a path that is unknown there is an address that is wrong."""


def main(service: str, camera: str) -> None:
    owner = ADMIN_KEY.stat()
    if not KEY.exists():
        # as the service's user, whose data folder it is
        made = subprocess.run(
            ["framewatch", "key", "create", "prometheus", "--scope", "read"],
            check=True,
            capture_output=True,
            text=True,
            user=owner.st_uid,
            group=owner.st_gid,
            extra_groups=[],
        )
        KEY.write_text(made.stdout.strip(), encoding="ascii")
        KEY.chmod(0o400)
        os.chown(KEY, 65534, 65534)  # Prometheus runs as nobody
    with Client(service, key=ADMIN_KEY.read_text(encoding="ascii").strip()) as client:
        until = time.monotonic() + PATIENCE
        while not client.test_source(camera)["ok"] and time.monotonic() < until:
            time.sleep(2)
        client.put_stream("street", name="Street", source=camera)


if __name__ == "__main__":
    main(*sys.argv[1:])
