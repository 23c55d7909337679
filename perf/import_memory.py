"""Peak memory of importing a log of 200 MB: `python perf/import_memory.py`.

500 problems, 200 responses each of 2,000 characters: as a line per problem (lm-eval), a line per
response (table), and one JSON array (livecodebench).
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

PROBLEMS, RESPONSES, CHARACTERS = 500, 200, 2000


def texts(problem: int) -> list[str]:
    numbers = random.Random(problem)
    return [numbers.randbytes(CHARACTERS // 2).hex() for _ in range(RESPONSES)]


def rows(form: str) -> Iterator[str]:
    for i in range(PROBLEMS):
        question = f"What is {i} + 10 ?"
        match form:
            case "lm-eval":
                yield json.dumps(
                    {"doc_id": i, "doc": {"question": question}, "resps": [texts(i)], "filter": "x"}
                )
            case "livecodebench":
                yield json.dumps({"question_id": f"s{i}", "output_list": texts(i)})
            case _:
                yield from (json.dumps({"problem_id": f"s{i}", "text": text}) for text in texts(i))


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        problems = [
            json.dumps({"id": f"s{i}", "question": f"What is {i} + 10 ?", "gold": str(10 + i)})
            for i in range(PROBLEMS)
        ]
        (folder / "sums.jsonl").write_text("\n".join(problems))
        (folder / "sums.yaml").write_text(
            "title: Sums\nsource: {file: sums.jsonl}\nverifier: number\nprompt: qwen-boxed\n"
        )
        for form in ("lm-eval", "table", "livecodebench"):
            array = form == "livecodebench"
            log = folder / ("log.json" if array else "log.jsonl")
            with log.open("w") as file:
                file.write("[" if array else "")
                for number, row in enumerate(rows(form)):
                    file.write(("," if array and number else "") + row + "\n")
                file.write("]" if array else "")
            start, size = time.perf_counter(), log.stat().st_size / 1e6
            command = [
                *(sys.executable, "-m", "passk", "import", form, str(log)),
                *(
                    "--benchmark",
                    str(folder / "sums.yaml"),
                    "--model",
                    "m",
                    "-o",
                    str(folder / "x"),
                ),
            ]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            print(
                f"{form}: {size:.0f} MB in {time.perf_counter() - start:.1f} s, "
                f"largest peak so far {peak:.0f} MB"
            )
            log.unlink()


if __name__ == "__main__":
    main()
