"""The dashboard's scripts are typed, in comments: TypeScript's compiler checks them and makes nothing of them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from service.readers.failures import ErrorClass
from tests.conftest import ROOT

TSC = shutil.which("tsc")


@pytest.mark.skipif(TSC is None, reason="there is no tsc: apt-get install node-typescript")
def test_the_scripts_of_the_dashboard_keep_to_their_types() -> None:
    found = subprocess.run([str(TSC), "-p", str(Path(__file__).parent)], capture_output=True, text=True)
    assert (found.returncode, found.stdout) == (0, "")


def test_advice_on_a_camera_is_for_failures_that_there_are() -> None:
    script = (ROOT / "service/web/addcamera.js").read_text(encoding="utf-8")
    said = re.findall(r"^  (\w+): ", script.partition("const ADVICE")[2].partition("};")[0], re.MULTILINE)
    assert said
    assert set(said) <= set(ErrorClass)
