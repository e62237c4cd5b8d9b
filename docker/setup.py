"""For compose.yaml: a key for Prometheus, and a stream of a camera; what is there already stays.

python setup.py SERVICE CAMERA
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from service.client import Client

KEY = Path("/keys/prometheus")
ADMIN_KEY = Path("/data/admin.key")


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
        client.put_stream("street", name="Street", source=camera)


if __name__ == "__main__":
    main(*sys.argv[1:])
