"""`passk import auto`: guess the format of a file by its ending and its first row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from passk.core.errors import DataError
from passk.core.json_stream import JsonStream
from passk.core.registry import FORMATS
from passk.core.row_files import file_ending, json_lines, open_file, parquet_rows
from passk.interop.files import find_files

KEYS: Sequence[tuple[str, tuple[str, ...]]] = (
    ("lm-eval", ("doc_id", "doc", "resps")),
    ("livecodebench", ("question_id", "output_list")),
    ("qwen-math", ("question", "code")),
    ("hf", ("problem_id", "text", "token_ids", "verdict")),
    ("table", ("problem_id", "text", "passk")),
    ("evalplus", ("task_id", "solution")),
    ("human-eval", ("task_id", "completion")),
    ("nemo-skills", ("generation", "problem")),
    ("nemo-skills", ("generation", "question")),
    ("nemo-skills", ("generated_solution", "question")),
    ("evalscope", ("index", "model_output")),
    ("evalscope", ("index", "sample_score")),
    ("evalscope", ("answer_id", "raw_input", "choices")),
    ("lighteval", ("doc", "model_response")),
    ("lighteval", ("full_prompt", "predictions")),
    ("trl", ("step", "prompt", "completion")),
    ("verl", ("input", "output", "step")),
    ("opencompass", ("origin_prompt", "prediction")),
    ("inspect", ("version", "status", "eval")),
    ("evalplus", ("eval", "hash")),
    ("counts", ("problem_id", "n", "c")),
    ("table", ("problem_id", "text")),
    ("table", ("question", "text")),
)
"""Format and the keys that its first row (or the file's one object) has; the first match counts."""


def detect_format(paths: Sequence[Path]) -> tuple[str, str]:
    """Return the format of some files, and why.

    Raises:
        DataError: no format is recognized.
    """
    files = find_files(paths, (".jsonl", ".json", ".parquet", ".eval", ".py"))
    # Of EvalPlus's two files the samples come first: its results alone may have no programs.
    path = min(files, key=lambda file: file_ending(file) == ".json")
    if file_ending(path) == ".eval":
        return "inspect", f"{path} ends in .eval"
    if path.suffix == ".py":
        return "evalplus", f"{path} is a program in a folder per task"
    for first in _first_rows(path):
        if isinstance(first, list):
            return "bigcode", f"{path} is a list of lists"
        for name, keys in KEYS:
            if isinstance(first, Mapping) and all(key in first for key in keys):
                return name, f"{path} has {', '.join(keys)}"
    raise DataError(
        "the format is not recognized",
        where=str(path),
        fix="name it (" + ", ".join([*FORMATS, "counts"]) + "), or map columns: "
        "`passk import table --map text=COLUMN --map question=COLUMN`",
    )


def _first_rows(path: Path) -> Iterator[Any]:
    """Yield what a file's first rows may be: a line, an element, the object, or its first value."""
    if file_ending(path) == ".parquet":
        yield from (row.values for row, _ in zip(parquet_rows(path), range(1), strict=False))
    elif file_ending(path) == ".jsonl":
        yield from (row.values for row, _ in zip(json_lines(path), range(1), strict=False))
    else:
        with open_file(path) as file:
            stream = JsonStream(file, path)
            if stream.peek() == "[":
                yield from (value for (value, _), _ in zip(stream.elements(), "1", strict=False))
                return
            found: dict[str, Any] = {}
            for name, _ in stream.members():
                # These two may be large, and say enough by being there.
                found[name] = None if name in {"samples", "eval"} else stream.value()
                if found[name] is None or (len(found) == 1 and isinstance(found[name], Mapping)):
                    break
            yield found
            yield next(iter(found.values()), None)
