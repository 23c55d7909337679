"""passk: did tuning teach this model new problems, or only to find old solutions sooner?"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("passk")
except PackageNotFoundError:  # a source tree on the path, not installed
    __version__ = "0+unknown"
