"""No number of a stream comes twice in a run, however often its id is purged and made again."""

from __future__ import annotations

from service.numbers import Numbers


def nothing(stream: str) -> int:
    return 0


def test_a_stream_begins_at_the_beginning() -> None:
    numbers = Numbers(nothing)
    numbers.keep("gate", 0)
    numbers.keep("door", 7)
    assert numbers.last("gate") == 0


def test_numbers_go_on_after_what_is_stored_or_was_said_last() -> None:
    numbers = Numbers({"gate": 5, "door": 9}.__getitem__)
    numbers.keep("gate", 8)
    numbers.keep("door", 8)
    assert (numbers.last("gate"), numbers.last("door")) == (8, 9)


def test_what_is_forgotten_is_never_counted_again() -> None:
    numbers = Numbers(nothing, most=3)
    for n in range(10):
        numbers.keep(f"cam{n}", 100 - n)
    assert [numbers.last(f"cam{n}") for n in (0, 6, 7, 9)] == [100, 100, 93, 91]
    assert numbers.last("new") == 100


def test_the_one_that_ended_last_is_forgotten_last() -> None:
    numbers = Numbers(nothing, most=2)
    for stream, seq in (("gate", 1), ("door", 2), ("gate", 3), ("yard", 4)):
        numbers.keep(stream, seq)
    assert (numbers.last("gate"), numbers.last("yard"), numbers.last("new")) == (3, 4, 2)
