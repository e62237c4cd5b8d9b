"""A lack of memory is told from other failures, whoever has it."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from model.memory import is_out_of_memory


@pytest.mark.parametrize(
    ("error", "short"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (MemoryError(), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("shapes do not match"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_shortage_of_memory_is_told_from_other_failures(error: Exception, short: bool) -> None:
    assert is_out_of_memory(error) is short


ENCODE_WITH_LITTLE = """
import resource
import torch
from model.checkpoint import bundled, load
from model.memory import is_out_of_memory

encoder = load(bundled()).detector.encoder
one, many = (torch.zeros((count, *encoder.takes), dtype=torch.uint8) for count in (1, 64))
with torch.inference_mode():
    encoder(one)
    pages = int(open("/proc/self/statm").read().split()[0])
    most = pages * resource.getpagesize() + 60_000_000  # enough for torch's input, too little for what follows
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    try:
        encoder(many)
    except Exception as error:
        print(is_out_of_memory(error), type(error).__module__)
    encoder(one)
"""


def test_a_batch_too_large_for_the_memory_of_the_encoder_is_known_as_such_and_leaves_it_usable() -> None:
    done = subprocess.run([sys.executable, "-c", ENCODE_WITH_LITTLE], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] == "True"
