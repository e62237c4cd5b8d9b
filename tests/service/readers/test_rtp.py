"""Pictures come whole out of their packets, or are counted as lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.readers.rtp import Assembler, Packet, Unit, parse_packet
from tests.service.readers.servers import rtp_packets

START = b"\0\0\0\1"
SMALL, LARGE = bytes([0x67]) + b"sps", bytes([0x65]) + bytes(range(256)) * 5
SMALL_5, LARGE_5 = bytes([33 << 1, 1]) + b"sps", bytes([19 << 1, 1]) + bytes(range(256)) * 5


def packet(payload: bytes, sequence: int = 0, timestamp: int = 0, marker: bool = True) -> Packet:
    return Packet(96, marker, sequence, timestamp, payload)


def assemble(packets: list[bytes], hevc: bool = False, limit: int = 10**6) -> tuple[list[Unit], int]:
    assembler = Assembler("hevc" if hevc else "h264", limit)
    units = []
    for one in packets:
        parsed = parse_packet(one)
        assert parsed is not None
        units += assembler.push(parsed)
    return units, assembler.lost


@pytest.mark.parametrize("hevc", [False, True], ids=["H.264", "H.265"])
@pytest.mark.parametrize("most", [100, 400, 5000])
def test_units_in_one_packet_or_in_many_come_whole(hevc: bool, most: int) -> None:
    units = [SMALL_5, LARGE_5] if hevc else [SMALL, LARGE]
    packets = list(rtp_packets(units, sequence=65_534, timestamp=7, most=most, hevc=hevc))
    assert assemble(packets, hevc) == ([Unit(7, START + units[0] + START + units[1])], 0)


@pytest.mark.parametrize(
    ("codec", "head"), [("h264", bytes([24])), ("hevc", bytes([48 << 1, 1]))], ids=["H.264", "H.265"]
)
def test_several_units_in_one_packet_are_told_apart(codec: str, head: bytes) -> None:
    assembler = Assembler("hevc" if codec == "hevc" else "h264", 1000)
    (unit,) = assembler.push(packet(head + b"\0\3abc\0\2de"))
    assert unit.data == START + b"abc" + START + b"de"


def test_a_new_time_stamp_ends_a_picture_whose_marker_is_missing() -> None:
    assembler = Assembler("h264", 1000)
    assert assembler.push(packet(b"\x41a", 0, 1, marker=False)) == []
    assert assembler.push(packet(b"\x41b", 1, 2, marker=False)) == [Unit(1, START + b"\x41a")]
    assert assembler.push(packet(b"\x41c", 2, 3)) == [Unit(2, START + b"\x41b"), Unit(3, START + b"\x41c")]


@pytest.mark.parametrize(
    ("missing", "whole"),
    [
        pytest.param([0], [0, 2], id="its begin"),
        pytest.param([2], [0, 2], id="its middle"),
        pytest.param([4], [0, 2], id="its end, which shows with the next one"),
        pytest.param([0, 1, 2, 3, 4], [0], id="all of it, and perhaps of the next one"),
        pytest.param([4, 5], [0], id="its end and the next one's begin"),
        pytest.param([6], [0, 1], id="the next one's"),
    ],
)
def test_a_picture_with_a_missing_packet_is_lost(missing: list[int], whole: list[int]) -> None:
    packets = list(rtp_packets([SMALL], sequence=65_535, timestamp=0))
    for timestamp in (1, 2):
        packets += rtp_packets([LARGE], sequence=5 * timestamp - 5, timestamp=timestamp, most=300)
    assert len(packets) == 11
    units, lost = assemble([one for at, one in enumerate(packets) if at - 1 not in missing])
    assert [unit.timestamp for unit in units] == whole
    assert lost >= 1


def test_a_picture_over_the_limit_is_lost() -> None:
    packets = list(rtp_packets([LARGE], sequence=0, timestamp=1))
    assert assemble([*packets, *rtp_packets([SMALL], sequence=len(packets), timestamp=2)], limit=1000) == (
        [Unit(2, START + SMALL)],
        1,
    )


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x80\xe0\0\1\0\0\0\2testabc", Packet(96, True, 1, 2, b"abc")),
        (b"\x80\x60\0\1\0\0\0\2testabc", Packet(96, False, 1, 2, b"abc")),
        (b"\xa0\x60\0\1\0\0\0\2testabc\0\2", Packet(96, False, 1, 2, b"abc")),  # padding
        (b"\x90\x60\0\1\0\0\0\2test\xbe\xde\0\1extnabc", Packet(96, False, 1, 2, b"abc")),  # an extension
        (b"\x81\x60\0\1\0\0\0\2testcsrcabc", Packet(96, False, 1, 2, b"abc")),  # a contributor
        (b"", None),
        (b"\x80\x60\0\1\0\0\0\2test", None),
        (b"\x40\x60\0\1\0\0\0\2testabc", None),
        (b"\xa0\x60\0\1\0\0\0\2testabc\xff", None),
        (b"\x90\x60\0\1\0\0\0\2test\xbe\xde\xff\xffabc", None),
    ],
)
def test_headers(data: bytes, expected: Packet | None) -> None:
    assert parse_packet(data) == expected


@given(st.lists(st.binary(min_size=10, max_size=60), max_size=20), st.sampled_from(["h264", "hevc"]))
def test_any_packets_are_borne(payloads: list[bytes], codec: str) -> None:
    assembler = Assembler("hevc" if codec == "hevc" else "h264", 100)
    for at, payload in enumerate(payloads):
        parsed = parse_packet(b"\x80\xe0" + at.to_bytes(2, "big") + payload)
        if parsed is not None:
            assert all(len(unit.data) <= 100 for unit in assembler.push(parsed))
