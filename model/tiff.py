"""How many pictures a TIFF file holds: microscopes and thermal cameras stack a whole recording into one."""

from __future__ import annotations

MOST = 100_000
"""Entries of directories looked at: those of a damaged file may lead anywhere, and lie over one another."""

_SUBFILE_TYPE = 254
_NO_PAGE = 0b101  # bits of that tag: a smaller copy of another picture, a mask


def page_count(data: bytes) -> int:
    """Pictures in a TIFF file, without small copies and masks, by its chain of directories; 0 for other data.

    Args:
        data: a whole file; where it is cut short or damaged, what lies before that is counted.
    """
    if not data.startswith((b"II*\0", b"MM\0*")):
        return 0

    def number(at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], "little" if data.startswith(b"II") else "big")

    pages, at, seen, looked = 0, number(4, 4), set[int](), 0
    while at and at not in seen:
        seen.add(at)
        end = at + 2 + 12 * number(at, 2)
        looked += 1 + number(at, 2)
        if end + 4 > len(data) or looked > MOST:
            break
        kinds = (number(entry + 8, 4) for entry in range(at + 2, end, 12) if number(entry, 2) == _SUBFILE_TYPE)
        pages += not next(kinds, 0) & _NO_PAGE
        at = number(end, 4)
    return pages
