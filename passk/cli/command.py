"""A command is one function: its decorator lists the options that its parameters take.

To add one, write the function in a module of this package under `@command(...)`; a new module
also needs a line in `MODULES`. Heavy imports belong inside the function, so that `passk --help`
stays fast. Commands are listed in the order in which the modules define them.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, NoReturn, TypeVar

from passk.core.versions import __version__

MODULES = (
    "study",
    "results",
    "benchmarks",
    "compare_command",
    "design_command",
    "own_data",
    "housekeeping",
    "stages",
)
"""Modules of this package that define commands."""

Handler = TypeVar("Handler", bound=Callable[..., None])


class Group(Enum):
    """Headings of `passk --help`, in their order."""

    STUDY = "Run a study"
    RESULTS = "Read its results"
    BENCHMARKS = "Benchmarks"
    DATA = "Your own data"
    HOUSEKEEPING = "Housekeeping"
    STAGES = "Stages: what the workflow runs, each by hand on plain files"


@dataclass(frozen=True)
class Option:
    """Arguments of `ArgumentParser.add_argument`; options of one `one_of` exclude each other."""

    names: tuple[str, ...]
    settings: dict[str, object]
    one_of: str = ""


@dataclass(frozen=True)
class Command:
    """A command: its name, its place and text in the help, its options and its function.

    One that passes options on takes those it does not know as a list, `pass_on`.
    """

    name: str
    group: Group
    summary: str
    example: str
    options: tuple[Option, ...]
    handler: Callable[..., None]
    pass_on: bool = False


COMMANDS: dict[str, Command] = {}
"""Name -> command, filled as the modules of this package are imported."""


def option(*names: str, one_of: str = "", **settings: object) -> Option:
    """Return an option or argument, described as for `ArgumentParser.add_argument`."""
    return Option(names, settings, one_of)


def command(
    group: Group,
    summary: str,
    example: str,
    *options: Option | tuple[Option, ...],
    pass_on: bool = False,
) -> Callable[[Handler], Handler]:
    """Make a function a command of its own name (`import_` is `passk import`).

    Args:
        group: its heading in `passk --help`.
        summary: what it does, in one line.
        example: a full command line, shown by `--help`.
        options: become keyword arguments of the function; blocks that commands share are tuples.
        pass_on: whether options that it does not know are its argument `pass_on`, not an error.
    """

    def register(handler: Handler) -> Handler:
        name = handler.__name__.strip("_").replace("_", "-")
        flat = [one for part in options for one in ((part,) if isinstance(part, Option) else part)]
        COMMANDS[name] = Command(name, group, summary, example, tuple(flat), handler, pass_on)
        return handler

    return register


class _TopParser(argparse.ArgumentParser):
    """The parser of `passk` itself, whose help lists the commands by group."""

    def format_help(self) -> str:
        """Return the help: the commands people use first, then the stages."""
        lines = [f"usage: {self.prog} COMMAND ...", "", str(self.description)]
        for group in Group:
            found = [one for one in COMMANDS.values() if one.group is group]
            if found:
                lines += ["", f"{group.value}:"]
                lines += [f"  {one.name:<14} {one.summary}" for one in found]
        lines += ["", "`passk COMMAND --help` lists a command's options and shows an example."]
        return "\n".join(lines) + "\n"

    def error(self, message: str) -> NoReturn:
        """Exit with the message alone: the list of all commands would bury it."""
        if found := re.search(r"invalid choice: '([^']*)'", message):
            near = difflib.get_close_matches(found[1], COMMANDS, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            message = f"unknown command '{found[1]}'{hint}"
        self.exit(2, f"{self.prog}: error: {message}\n  -> {self.prog} --help\n")


def parse(arguments: Sequence[str] | None) -> tuple[Command, dict[str, Any]]:
    """Return the command of a command line, and its arguments by name; exits on bad usage."""
    words = sys.argv[1:] if arguments is None else arguments
    top = parser(words[0] if words else "")
    known, unknown = top.parse_known_args(arguments)
    options = vars(known)
    command: Command = options.pop("command")
    if command.pass_on:
        options["pass_on"] = [word for word in unknown if word != "--"]
    elif unknown:
        top.error(f"passk {command.name} knows no {' '.join(unknown)}")
    return command, options


def parser(only: str = "") -> argparse.ArgumentParser:
    """Return the parser of all commands; parsed options hold the `command` and its arguments.

    With the name of a command, it knows that one alone, which saves time.
    """
    for module in MODULES:
        importlib.import_module(f"passk.cli.{module}")
    top = _TopParser(prog="passk", description="Study pass@k at large k, from one YAML spec.")
    top.add_argument("--version", action="version", version=f"passk {__version__}")
    commands = top.add_subparsers(
        metavar="COMMAND", required=True, parser_class=argparse.ArgumentParser
    )
    for one in [COMMANDS[only]] if only in COMMANDS else COMMANDS.values():
        _add(commands, one)
    return top


def _add(commands: Any, one: Command) -> None:
    """Add the parser of one command."""
    parser = commands.add_parser(
        one.name,
        description=one.summary,
        epilog=f"example:\n  {one.example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=not one.pass_on,
    )
    parser.set_defaults(command=one)
    exclusive: dict[str, object] = {}
    for each in one.options:
        target = parser
        if each.one_of:
            if each.one_of not in exclusive:
                exclusive[each.one_of] = parser.add_mutually_exclusive_group(required=True)
            target = exclusive[each.one_of]
        target.add_argument(*each.names, **each.settings)
