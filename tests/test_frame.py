"""The house's own rules: which part may import which, versions that agree, pins that cover the dependencies."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import model
from tests.conftest import ROOT

PACKAGES = ("model", "training", "service")
FORBIDDEN = {"model": {"training", "service"}, "training": {"service"}, "service": set[str]()}
OUTSIDE = {"tests", "bench"}

MAY_TRAIN = ("service/cli.py", "service/verbs/", "service/commands/", "service/learning/")
"""The parts of the service that reach training: the command line, and the child process that learns a camera."""

MACHINE_PATHS = re.compile(r"(?<![\w.])/(?:root|work|farm|home/\w+|Users/\w+)/")
TEXTS = ("*.py", "*.md", "*.toml", "*.txt", "*.yaml", "*.yml", "*.sh", "Makefile", "Dockerfile", "run")
SKIPPED = {".git", ".venv", ".venv-constraints", "out", "dist", "build"}


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """The first names of every module that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_one_way(package: str) -> None:
    wrong = {
        str(path.relative_to(ROOT)): found
        for path in modules(package)
        if (found := imported(path) & (FORBIDDEN[package] | OUTSIDE))
    }
    assert wrong == {}


def test_of_the_service_only_the_command_line_and_the_learning_child_reach_training() -> None:
    reach = [str(path.relative_to(ROOT)) for path in modules("service") if "training" in imported(path)]
    assert [path for path in reach if not path.startswith(MAY_TRAIN)] == []


def test_no_text_holds_a_path_of_somebodys_machine() -> None:
    files = [path for pattern in TEXTS for path in ROOT.rglob(pattern) if not SKIPPED & set(path.parts)]
    assert files
    found = {
        f"{path.relative_to(ROOT)}:{number}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if path != Path(__file__) and MACHINE_PATHS.search(line)
    }
    assert found == set()


def test_the_installed_version_is_the_packages_own() -> None:
    assert importlib.metadata.version("framewatch") == model.__version__


def test_the_changelog_begins_with_the_version() -> None:
    versions = re.findall(r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert versions[0] in (model.__version__, "Unreleased")
    assert model.__version__ in versions


def requirements() -> list[Requirement]:
    """What pyproject.toml asks for, to run and to develop."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [line for lines in project.get("optional-dependencies", {}).values() for line in lines]
    return [Requirement(line) for line in [*project["dependencies"], *extras]]


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {normal(name): version for name, version in pairs}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("requirement", requirements(), ids=lambda requirement: requirement.name)
def test_constraints_pin_a_version_that_the_requirement_allows(requirement: Requirement) -> None:
    assert normal(requirement.name) in pins(), "run `make constraints`"
    assert requirement.specifier.contains(pins()[normal(requirement.name)])


def test_constraints_fit_the_oldest_python() -> None:
    """Every release of it: pip looks at the third figure too, and Debian 12 has 3.11.2."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    oldest = project["requires-python"].removeprefix(">=") + ".0"
    asked = {
        one.name: one.metadata["Requires-Python"]
        for one in importlib.metadata.distributions()
        if pins().get(normal(one.name)) == one.version and "Requires-Python" in one.metadata
    }
    assert asked
    assert [name for name, python in asked.items() if not SpecifierSet(python).contains(oldest)] == []


def test_constraints_fit_any_build_of_torch() -> None:
    assert [version for version in pins().values() if "+" in version] == []
