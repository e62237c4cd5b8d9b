"""Threads share the frames of a batch; how many there are changes nothing but the time."""

from __future__ import annotations

import threading

import pytest
import torch
from torch import Tensor

from model.workers import Workers, available_cores, torch_threads
from tests.model.detectors import detector, pictures, stacked

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("count", [1, 2, 5])
def test_result_does_not_depend_on_their_number_not_even_in_a_bit(count: int) -> None:
    torch.set_num_threads(1)
    encoder, shots = detector().encoder, stacked(pictures(6))
    workers = Workers(count)
    try:
        shared = workers.map(encoder, shots)
    finally:
        workers.close()
    alone = torch.cat([encoder(shots[n : n + 1]) for n in range(6)])
    assert torch.equal(shared, alone)


@pytest.mark.parametrize("count", [0, 1, 4, 5, 9])
def test_parts_may_be_of_several_items(count: int) -> None:
    sizes = []

    def look(part: Tensor) -> Tensor:
        sizes.append(len(part))
        return part * 2

    workers = Workers(2)
    try:
        assert torch.equal(workers.map(look, torch.arange(count), 4), torch.arange(count) * 2)
    finally:
        workers.close()
    assert sum(sizes) == count and max(sizes) <= 4


@pytest.mark.parametrize("moving", [True, False])
def test_scores_do_not_depend_on_their_number_not_even_in_a_bit(moving: bool) -> None:
    results = []
    shots = stacked(pictures(20) if moving else pictures(1) * 20)
    for count in (1, 3):
        workers = Workers(count)
        try:
            model = detector().with_workers(workers)
            bank = model.bank()
            results.append(model.score(bank.push([bank.open()] * 20, shots)))
        finally:
            workers.close()
    one, other = results
    assert torch.equal(one.heat, other.heat) and torch.equal(one.raw.nan_to_num(-1), other.raw.nan_to_num(-1))
    assert bool(one.heat.any()) is moving


def test_order_is_kept_however_long_a_frame_takes() -> None:
    workers, second = Workers(2), threading.Event()

    def slow_first(frame: Tensor) -> Tensor:
        if int(frame) == 0:
            assert second.wait(120)
        else:
            second.set()
        return frame

    try:
        assert workers.map(slow_first, torch.arange(4)).tolist() == [0, 1, 2, 3]
    finally:
        workers.close()


def test_fault_in_a_thread_reaches_the_caller() -> None:
    def fail(frame: Tensor) -> Tensor:
        raise MemoryError("no room")

    workers = Workers(2)
    try:
        with pytest.raises(MemoryError, match="no room"):
            workers.map(fail, torch.arange(3))
    finally:
        workers.close()


def test_threads_use_one_core_each_and_record_no_gradients() -> None:
    seen = []

    def look(frame: Tensor) -> Tensor:
        seen.append((torch.get_num_threads(), torch.is_inference_mode_enabled()))
        return frame

    workers = Workers(2)
    try:
        workers.map(look, torch.arange(4))
    finally:
        workers.close()
    assert seen == [(1, True)] * 4


def test_there_are_as_many_as_cores_unless_told() -> None:
    workers = Workers()
    workers.close()
    assert workers.count == available_cores() >= 1


def test_closing_ends_the_threads() -> None:
    before = set(threading.enumerate())
    workers = Workers(3)
    workers.map(lambda frame: frame, torch.arange(9))
    begun = set(threading.enumerate()) - before
    assert begun
    workers.close()
    assert not any(thread.is_alive() for thread in begun)


def test_gpu_wants_none() -> None:
    assert Workers.for_device(torch.device("cuda")) is None
    workers = Workers.for_device(torch.device("cpu"), 2)
    assert workers is not None and workers.count == 2
    workers.close()


def test_torch_has_its_threads_back_after_learning_even_if_it_failed() -> None:
    torch.set_num_threads(1)

    def learn() -> None:
        with torch_threads(2):
            assert torch.get_num_threads() == 2
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn()
    assert torch.get_num_threads() == 1
