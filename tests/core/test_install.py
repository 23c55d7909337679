"""Install hints name packages that exist; none of them is somebody else's `passk`."""

from __future__ import annotations

import re
import tomllib

import pytest
from conftest import REPO

from passk.core import install

PROJECT = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]


def test_the_distribution_is_the_projects() -> None:
    assert PROJECT["name"] == install.DISTRIBUTION


def test_every_extra_that_a_hint_names_is_there() -> None:
    assert set(install.EXTRA_OF.values()) <= set(PROJECT["optional-dependencies"])


def test_a_hint_lists_the_packages_of_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        "numpy>=1.26",
        "math-verify==0.9.0; extra == 'math'",
        "mpmath>=1.3 ; extra == 'math'",
        "passk-study[math]; extra == 'all'",
        "ruff; extra == 'all'",
    ]
    monkeypatch.setattr("importlib.metadata.requires", lambda _: lines)
    assert install.install_extra("math") == "pip install math-verify==0.9.0 'mpmath>=1.3'"
    assert install.install_extra("all").endswith("'mpmath>=1.3' ruff")
    assert install.install_module("mpmath") == install.install_extra("math")
    assert install.install_module("numpy") == "pip install 'numpy>=1.26'"
    assert install.install_module("unheard_of") == "pip install unheard_of"


def test_no_text_names_the_package_of_somebody_else() -> None:
    folders = [REPO / name for name in ("passk", "docs", "rules", "specs", "perf")]
    files = [REPO / "README.md", REPO / "Makefile", REPO / "pyproject.toml"]
    files += [file for folder in folders for file in folder.rglob("*") if file.suffix in {
        ".py", ".md", ".smk", ".yaml", ".toml"
    }]  # fmt: skip
    stranger = re.compile(r"pip install[^\n]*\bpassk(\[|['\"]|\s|$)")
    found = [str(file) for file in files if stranger.search(file.read_text())]
    assert found == []


def test_the_lock_file_pins_what_the_tests_need_and_names_no_host() -> None:
    lines = (REPO / "requirements-dev.lock").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.!-]+", pin) for pin in pins), pins
    assert "torch==2.13.0" in pins
    wanted = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]
    names = {re.match(r"[\w-]+", requirement)[0].lower() for requirement in wanted}
    assert names <= {pin.partition("==")[0].lower().replace("_", "-") for pin in pins}
