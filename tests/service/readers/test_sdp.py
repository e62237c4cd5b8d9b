from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.readers.failures import ErrorClass, ReadError
from service.readers.sdp import Track, video_track
from tests.service.readers.servers import sdp


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (sdp(), Track("h264", 96, 90_000, "trackID=1")),
        (sdp("h265"), Track("hevc", 96, 90_000, "trackID=1")),
        (sdp(control="rtsp://cam/x/track1"), Track("h264", 96, 90_000, "rtsp://cam/x/track1")),
        (sdp().replace("\r\n", "\n"), Track("h264", 96, 90_000, "trackID=1")),
        (sdp(parameters=";sprop-parameter-sets=Z0I=,aM4="), Track("h264", 96, 90_000, "trackID=1", (b"gB", b"h\xce"))),
        (sdp(parameters="; sprop-parameter-sets=!!"), Track("h264", 96, 90_000, "trackID=1")),
        (
            sdp("H265", "; sprop-sps=Qg==; sprop-vps=QA==; sprop-pps=RA==; x=1"),
            Track("hevc", 96, 90_000, "trackID=1", (b"@", b"B", b"D")),
        ),
        (
            "m=video 0 RTP/AVP 97 98\na=rtpmap:97 VP8/90000\na=rtpmap:98 H264/90000\na=fmtp:98 x=1\na=control:*\n",
            Track("h264", 98, 90_000, "*"),
        ),
        ("m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\n", Track("h264", 96, 90_000, "")),
    ],
)
def test_the_video_track_is_found(text: str, expected: Track) -> None:
    assert video_track(text) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "sends no video"),
        ("v=0\r\nm=audio 0 RTP/AVP 0\r\n", "sends no video"),
        (sdp("JPEG"), "codec that is not read"),
        ("m=video 0 RTP/AVP 26\r\n", "codec that is not read"),
        ("m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/0\r\n", "codec that is not read"),
    ],
)
def test_no_video_that_is_read_is_for_good(text: str, says: str) -> None:
    with pytest.raises(ReadError, match=says) as error:
        video_track(text)
    assert error.value.error_class is ErrorClass.CODEC and error.value.permanent


@given(st.text())
def test_any_text_is_a_track_or_an_error(text: str) -> None:
    for one in (text, f"m=video {text}", sdp(parameters=text), sdp(text)):
        try:
            video_track(one)
        except ReadError:
            continue
