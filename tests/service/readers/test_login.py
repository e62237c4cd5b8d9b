"""Logins are answered as the standards' own examples are, once for each time they are asked for."""

from __future__ import annotations

import hashlib

import pytest

from service.readers.login import Login

BASIC = 'Basic realm="cam"'
MD5 = (
    'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc"'
)
SHA = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def test_nothing_is_said_before_it_is_asked_for() -> None:
    assert Login("u", "p").answer("GET", "/") is None


def test_basic() -> None:
    login = Login("Aladdin", "open sesame")
    assert login.challenge([BASIC])
    assert login.answer("GET", "/") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="


def test_digest_of_the_first_standard() -> None:  # RFC 2617, 3.5
    login = Login("Mufasa", "Circle Of Life", nonce=lambda: "0a4f113b")
    assert login.challenge([MD5])
    answer = login.answer("GET", "/dir/index.html")
    assert answer is not None
    assert 'response="6629fae49393a05397450978507c4ef1"' in answer
    assert 'uri="/dir/index.html"' in answer and "nc=00000001" in answer and 'opaque="5ccc"' in answer
    assert "nc=00000002" in (login.answer("GET", "/dir/index.html") or "")


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_digest_of_the_later_standard(algorithm: str, response: str) -> None:  # RFC 7616, 3.9.1
    login = Login("Mufasa", "Circle of Life", nonce=lambda: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")
    assert login.challenge([SHA.format(algorithm)])
    assert f'response="{response}"' in (login.answer("GET", "/dir/index.html") or "")


def test_digest_without_quality_is_the_oldest_kind() -> None:
    login = Login("admin", "12345")
    assert login.challenge(['Digest realm="IP Camera", nonce="abc"'])
    answer = login.answer("DESCRIBE", "rtsp://10.0.0.5/live")
    assert answer is not None and "qop" not in answer and "cnonce" not in answer
    who, what = md5("admin:IP Camera:12345"), md5("DESCRIBE:rtsp://10.0.0.5/live")
    assert f'response="{md5(f"{who}:abc:{what}")}"' in answer


def test_the_strongest_kind_is_taken() -> None:
    login = Login("u", "p")
    assert login.challenge([BASIC, MD5, SHA.format("SHA-256")])
    assert "algorithm=SHA-256" in (login.answer("GET", "/") or "")


def test_being_asked_again_means_that_the_login_is_wrong() -> None:
    for asked in (BASIC, MD5):
        login = Login("u", "p")
        assert login.challenge([asked])
        assert not login.challenge([asked])


def test_a_stale_nonce_is_no_wrong_login() -> None:
    login = Login("u", "p")
    assert login.challenge([MD5])
    assert login.challenge([MD5.replace("dcd98b71", "0000") + ", stale=TRUE"])
    assert 'nonce="000002dd' in (login.answer("GET", "/") or "")


@pytest.mark.parametrize("asked", [[], ["NTLM"], ["Digest realm=x"], ['Digest nonce="a", algorithm=SHA-512-256'], [""]])
def test_what_is_not_known_is_not_answered(asked: list[str]) -> None:
    login = Login("u", "p")
    assert not login.challenge(asked)
    assert login.answer("GET", "/") is None


def test_quotes_do_not_end_a_field() -> None:
    login = Login('a"b', "p")
    assert login.challenge(['Digest realm="a \\"cam\\"", nonce="n"'])
    answer = login.answer("GET", "/") or ""
    assert 'username="a\\"b"' in answer and 'realm="a \\"cam\\""' in answer
