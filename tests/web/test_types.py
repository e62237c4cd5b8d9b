"""The dashboard's scripts are typed, in comments: TypeScript's compiler checks them and makes nothing of them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

TSC = shutil.which("tsc")


@pytest.mark.skipif(TSC is None, reason="there is no tsc: apt-get install node-typescript")
def test_the_scripts_of_the_dashboard_keep_to_their_types() -> None:
    found = subprocess.run([str(TSC), "-p", str(Path(__file__).parent)], capture_output=True, text=True)
    assert (found.returncode, found.stdout) == (0, "")
