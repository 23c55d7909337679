"""The process in which answers are compared: `python -m passk.verifiers.grading.worker`.

It loads the verifier once, then forks a child that does the work, and forks the next whenever one
has been killed, has died or has done its share. A fork costs milliseconds where a fresh start
costs a second of imports, and no user's `__main__` is ever imported twice. Lines of JSON go in
and out; a line is the only thing a child can break, and the parent ignores broken ones.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import resource
import signal
import sys
import time
from contextlib import suppress
from typing import Any

from passk.core.registry import VERIFIERS, load

FINISHED, RECYCLE = 64, 65
"""Exit status of a child that found no more work, and of one that has done its share."""

PR_SET_PDEATHSIG = 1

WARM_UP = json.dumps("\\sum_{k=1}^{n} k")
"""A gold answer that no cheap rule decides about."""


def main() -> None:
    """Serve until the parent closes the pipe; the first line says what to load."""
    _die_with_parent()
    out = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints must not end up among the answers
    try:
        setup = json.loads(_read_line())
        verifier = load("verifier", setup["verifier"], VERIFIERS)(**setup["options"])
        _warm_up(verifier)
    except Exception as error:  # noqa: BLE001
        # An import error that names a package is told as such by the parent.
        _send(out, {"failed": str(error) or type(error).__name__})
        return
    gc.freeze()
    status = RECYCLE
    while status != FINISHED:
        child = os.fork()
        if child == 0:
            _serve(verifier, setup, status, out)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _warm_up(verifier: Any) -> None:
    """Compare once, so that every child is born with the imports and caches of a first time."""
    with suppress(ValueError, ArithmeticError):
        verifier.compare(WARM_UP, "\\sum_{k=1}^{n} k^2")


def _serve(verifier: Any, setup: dict[str, Any], last: int, out: int) -> None:
    """Answer requests until there are no more or the share is done; never returns."""
    _die_with_parent()
    _limit_memory(setup["memory"])
    _send(out, {"pid": os.getpid(), "last": last})
    done = 0
    while line := _read_line():
        with suppress(ValueError):
            request = json.loads(line)
            result = _grade(verifier, request)
            done += 1
            # What raised may have left a library's caches in any state: its child goes too.
            ends = done == setup["max_tasks_per_child"] or result["verdict"] == "error"
            _send(out, {"id": request["id"], "ends": ends, **result})
            if ends:
                os._exit(RECYCLE)
    os._exit(FINISHED)


def _read_line() -> bytes:
    """Read one request; the parent never has more than one on its way to a child."""
    return sys.stdin.buffer.readline()


def _grade(verifier: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Return the outcome of one comparison, or what it failed with."""
    began = time.perf_counter()
    verdict, name = "error", None
    try:
        outcome = verifier.compare(request["gold"], request["answer"])
        verdict, detail, name = outcome.verdict, outcome.detail, outcome.answer_class
    except MemoryError:
        detail = "out of memory"
    except RecursionError:
        detail = "nested too deeply"
    except Exception as error:  # noqa: BLE001
        # Its text may take for ever to make: SymPy objects print themselves.
        detail = f"raised {type(error).__name__}"
    seconds = time.perf_counter() - began
    return {"verdict": verdict, "detail": detail, "answer_class": name, "seconds": seconds}


def _send(out: int, message: dict[str, Any]) -> None:
    """Write one line, after a newline that ends whatever a killed child has left unfinished."""
    os.write(out, b"\n" + json.dumps(message).encode() + b"\n")


def _die_with_parent() -> None:
    """Ask Linux to kill this process when the one that forked it is gone."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _limit_memory(budget: int) -> None:
    """Allow `budget` bytes above the present size, within the hard limit."""
    with suppress(OSError, ValueError, IndexError):
        with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123
            size = int(statm.read().split()[0]) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        limit = size + budget if hard == resource.RLIM_INFINITY else min(size + budget, hard)
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


if __name__ == "__main__":
    main()
