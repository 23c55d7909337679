"""Study with pass@k whether tuning taught a model new problems or only sharpened it."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("passk")
except PackageNotFoundError:  # a source tree on the path, not installed
    __version__ = "0+unknown"
