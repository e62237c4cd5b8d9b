"""That the libraries which compute tell nobody about it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

COMPUTE = """
import torch
from model.onnx_graph import Graph, Session
graph = Graph()
compute = Session(graph, [1, 2], graph.operate("Relu", ["x"]))
assert compute(torch.tensor([[-1.0, 2.0]])).tolist() == [[0.0, 2.0]]
"""


def test_the_runtime_keeps_no_identity_of_the_machine_and_nothing_to_send(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", COMPUTE], env={**kept, **home}, check=True, timeout=300)
    assert [path for path in tmp_path.rglob("*") if "onnx" in path.name.lower() or "Microsoft" in path.name] == []
