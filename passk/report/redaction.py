"""Private paths and host names, removed from what is published."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

HOST, LEFT_OUT = "HOST", "…"
"""What stands for a private host, and for a private folder."""

HOST_KEYS = {"host", "hostname", "nodename"}
"""Keys that are left out with their values."""

PUBLIC_HOSTS = (
    *("huggingface.co", "github.com", "githubusercontent.com", "arxiv.org", "doi.org"),
    *("openai.com", "mistral.ai", "anthropic.com", "openrouter.ai", "deepseek.com"),
    *("googleapis.com", "together.xyz", "fireworks.ai", "groq.com", "modelscope.cn"),
)
"""Hosts, with those below them, whose names are kept; any other is replaced."""

URL_HOST = re.compile(r"(\b[a-z][a-z0-9+.-]*://)([^\s/\"'<>]+)", re.IGNORECASE)
"""The scheme and the host of a URL."""

PATH = re.compile(r"(?<![\w./\\…~-])(?:~[\w.-]*|\.\.)?(?:/[^\s/:;,\"'<>|()\[\]{}\\]+)+")
"""An absolute path, or one that leads out of the working directory, inside a text."""

MIN_NAME = 3
"""Letters of the shortest host name that is looked for in texts."""


def private_texts() -> tuple[str, ...]:
    """Return what must not be in anything that is published from this machine."""
    hosts = {socket.gethostname(), socket.getfqdn()} - {"localhost"}
    folders = {str(Path.home()), str(Path.cwd())} - {"/"}
    return tuple(sorted(folders | {host for host in hosts if len(host) >= MIN_NAME}))


@dataclass(frozen=True, slots=True)
class Redactor:
    """Removes private paths and hosts from JSON values, tables and texts.

    Attributes:
        texts: private folders and host names, as `private_texts` returns them.
    """

    texts: tuple[str, ...] = field(default_factory=private_texts)

    def __call__(self, value: Any) -> Any:
        """Return a JSON value without the keys of hosts, and with all its texts redacted."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            kept = {key: each for key, each in value.items() if key not in HOST_KEYS}
            return {self(key): self(each) for key, each in kept.items()}
        if isinstance(value, list | tuple):
            return type(value)(map(self, value))
        return value

    def table(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return a table whose texts are redacted."""
        texts = [str(name) for name in table.select_dtypes(exclude=["number", "bool"])]
        return table.assign(**{name: table[name].map(self) for name in texts})

    def text(self, text: str) -> str:
        """Return a text with private hosts named HOST, and of private paths the last part."""
        if "/" in text:
            text = URL_HOST.sub(_public_url, text.replace("file://", ""))
            whole = text.startswith(("/", "~/", "../")) and "\n" not in text
            text = (
                _public_path(text) if whole else PATH.sub(lambda path: _public_path(path[0]), text)
            )
        for name in self.leaks(text):
            text = re.sub(_word(name), LEFT_OUT if name.startswith("/") else HOST, text)
        return text

    def leaks(self, text: str) -> list[str]:
        """Return the private texts that are in a text."""
        return [name for name in self.texts if name in text and re.search(_word(name), text)]


def _word(name: str) -> str:
    """Return a pattern of a name that is no part of a longer one."""
    return rf"(?<![\w-]){re.escape(name)}(?![\w-])"


def _public_url(found: re.Match[str]) -> str:
    """Return the start of a URL, without a password, and with its host if that is public."""
    host = found[2].rpartition("@")[2]
    name = host.partition(":")[0].lower()
    public = any(name == known or name.endswith(f".{known}") for known in PUBLIC_HOSTS)
    return f"{found[1]}{host if public else HOST}"


def _public_path(text: str) -> str:
    """Return a path relative to the working directory, or else its last part.

    `/x` alone is no path of a file that tells anything.
    """
    path, here = PurePosixPath(text), Path.cwd()
    if path.is_relative_to(here) and here != Path("/"):
        return str(path.relative_to(here))
    return text if str(path.parent) == "/" else f"{LEFT_OUT}/{path.name}"
