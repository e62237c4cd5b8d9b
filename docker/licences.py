"""Prints the licences of everything in the image, as docs/licences.md. Run it in the image:

docker run --rm --volume "$PWD/docker/licences.py:/licences.py:ro" framewatch python /licences.py > docs/licences.md
"""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from importlib.metadata import Distribution, distributions
from pathlib import Path

HEAD = """\
# Licences

What the image holds, package by package, as `docker/licences.py` printed it in the CPU image. The CUDA build adds
NVIDIA's libraries, which come under NVIDIA's own licence. The texts lie in the image: of Python packages in their
`.dist-info` folders, of Debian's in `/usr/share/doc/*/copyright`.

Debian's part below is that of a plain Debian 12, which stood in for the base image `python:3.11-slim-bookworm`.

PyAV and OpenCV bring builds of FFmpeg with them. PyAV's contains x264 and x265, so the image as a whole, when you pass
it on, comes under the GPL's terms for them.
"""


def licence(package: Distribution) -> str:
    """The licence in a few words, as the package's metadata has it: expression, classifiers, or the free text."""
    about = package.metadata
    if about["License-Expression"]:
        return str(about["License-Expression"])
    named = [line.rpartition(" :: ")[2] for line in about.get_all("Classifier", []) if line.startswith("License ::")]
    named = [name for name in named if name != "OSI Approved"]
    text = " ".join(str(about["License"] or "").split())
    return ", ".join(named) or (text if 0 < len(text) <= 60 and text != "UNKNOWN" else "see its files")


def python_packages() -> list[str]:
    found = {one.metadata["Name"]: one for one in distributions()}
    return [f"| {name} | {found[name].version} | {licence(found[name])} |" for name in sorted(found, key=str.lower)]


def debian_packages() -> list[str]:
    listed = subprocess.run(
        ["dpkg-query", "--show", "--showformat", "${Package} ${Version}\n"], check=True, capture_output=True, text=True
    )
    return [
        f"| {' | '.join(line.split())} | {debian_licence(line.split()[0])} |" for line in listed.stdout.splitlines()
    ]


def debian_licence(package: str) -> str:
    """The licences that a package's copyright file names, most frequent first."""
    path = Path("/usr/share/doc") / package / "copyright"
    if not path.is_file():
        return "-"
    text = path.read_text(encoding="utf-8", errors="replace")
    named = re.findall(r"^License: *(\S[^\n]*)$", text, re.MULTILINE)
    if not named:
        named = re.findall(r"/usr/share/common-licenses/([A-Za-z]+(?:-[\d.]*\d)?)", text)
    names = [name for name, _ in Counter(named).most_common(4)]
    return ", ".join(names).replace("|", "/") or "see its copyright file"


def main() -> None:
    table = ["| package | version | licence |", "|---|---|---|"]
    print(HEAD)
    print("\n".join(["## Python", "", *table, *python_packages(), ""]))
    print("\n".join(["## Debian", "", *table, *debian_packages()]))


if __name__ == "__main__":
    main()
