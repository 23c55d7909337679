"""Twenty-three problems in LiveCodeBench's published format, each with programs and verdicts.

The verdicts are those of LiveCodeBench's own `testing_util.run_test` (commit 28fef95, July 2025,
6 s per test): True where all its results are True. `OURS` lists the programs that passk judges
otherwise, with the reason.
"""

# ruff: noqa: E501, ISC004 (a program per line reads best)
from __future__ import annotations

import base64
import json
import pickle
import zlib
from typing import Any

Test = tuple[str, str]


def problem(
    tests: list[Test], *, name: str = "", starter: str = "", packed: bool = True
) -> dict[str, Any]:
    """Return a row with all the keys of `livecodebench/code_generation_lite`."""
    kind = "functional" if name else "stdin"
    rows = [{"input": given, "output": output, "testtype": kind} for given, output in tests]
    private = json.dumps(rows[1:])
    if packed:
        private = base64.b64encode(zlib.compress(pickle.dumps(private))).decode()
    return {
        "question_title": "Made for tests",
        "question_content": "Do it.",
        "platform": "leetcode" if name else "atcoder",
        "question_id": "abc000_a",
        "contest_id": "abc000",
        "contest_date": "2025-01-04T00:00:00",
        "starter_code": starter,
        "difficulty": "easy",
        "public_test_cases": json.dumps(rows[:1]),
        "private_test_cases": private,
        "metadata": json.dumps({"func_name": name} if name else {}),
    }


def solution(signature: str, body: str) -> str:
    """Return a class as LeetCode's starter code has it."""
    return f"class Solution:\n    def {signature}:\n        {body}\n"


BIG = [(n * 7919) % 1_000_003 for n in range(140_000)]
SUMS = [(f"{n}\n" + " ".join(map(str, range(n))), str(n * (n - 1) // 2)) for n in range(1, 101)]

PROBLEMS: dict[str, tuple[dict[str, Any], list[tuple[str, bool]]]] = {
    "typing_names": (
        problem(
            [("[1, 2, 3]\n2", "[2, 4, 6]"), ("[]\n5", "[]")],
            name="scale",
            starter="class Solution:\n    def scale(self, xs: List[int], k: int) -> List[int]:\n",
        ),
        [
            (
                solution(
                    "scale(self, xs: List[int], k: int) -> List[int]", "return [k * x for x in xs]"
                ),
                True,
            ),
            (
                solution(
                    "scale(self, xs: Optional[List[int]], k)", "return tuple(k * x for x in xs)"
                ),
                True,
            ),
            (solution("scale(self, xs, k)", "return xs * k"), False),
            ("def scale(xs, k): return [k * x for x in xs]", True),
            ("def scale(xs, k): return range(2, 7, 2) if xs else []", False),
            (solution("scaled(self, xs, k)", "return [k * x for x in xs]"), False),
            ("class Solution: pass\ndef scale(xs, k): return [k * x for x in xs]", False),
            (
                "from __future__ import annotations\ndef scale(xs, k): return [k * x for x in xs]",
                False,
            ),
        ],
    ),
    "nested_tuples": (
        problem([("3", "[[0, 1], [1, 2], [2, 3]]")], name="pairs"),
        [
            (solution("pairs(self, n)", "return [[i, i + 1] for i in range(n)]"), True),
            (solution("pairs(self, n)", "return [(i, i + 1) for i in range(n)]"), False),
            (solution("pairs(self, n)", "return tuple([i, i + 1] for i in range(n))"), True),
        ],
    ),
    "collections_names": (
        problem([('"aab"', "2"), ('"abc"', "1")], name="most", packed=False),
        [
            (solution("most(self, s: str) -> int", "return max(Counter(s).values())"), True),
            (solution("most(self, s)", "return Counter(s).most_common(1)[0][1]"), True),
            (solution("most(self, s)", "return len(s)"), False),
            (solution("most(self, s)", "return float(max(Counter(s).values()))"), True),
            (solution("most(self, s)", "return str(max(Counter(s).values()))"), False),
        ],
    ),
    "heap_and_cache": (
        problem([("[5, 3, 8]\n2", "8"), ("[1]\n1", "1")], name="smallestSum"),
        [
            (solution("smallestSum(self, xs, k)", "return sum(nsmallest(k, xs))"), True),
            (
                "class Solution:\n    def smallestSum(self, xs, k):\n        heapify(xs)\n"
                "        return sum(heappop(xs) for _ in range(k))\n",
                True,
            ),
            (
                "class Solution:\n    @cache\n    def go(self, n): return n and n + self.go(n - 1)\n"
                "    def smallestSum(self, xs, k): return sum(sorted(xs)[:k]) + self.go(0)\n",
                True,
            ),
            (solution("smallestSum(self, xs, k)", "return sum(sorted(xs)[k:])"), False),
        ],
    ),
    "floats": (
        problem([("[1, 2]", "1.5"), ("[0.1, 0.2, 0.6]", "0.3")], name="mean"),
        [
            (solution("mean(self, xs)", "return sum(xs) / len(xs)"), True),
            (solution("mean(self, xs)", "return round(sum(xs) / len(xs), 9)"), True),
            (solution("mean(self, xs)", "return fsum(xs) / len(xs) + 1e-12"), False),
        ],
    ),
    "booleans": (
        problem([("4", "true"), ("5", "false")], name="isEven", packed=False),
        [
            (solution("isEven(self, n: int) -> bool", "return n % 2 == 0"), True),
            (solution("isEven(self, n)", "return 1 - n % 2"), True),
            (solution("isEven(self, n)", "return None"), False),
        ],
    ),
    "nothing": (
        problem([("1", "null"), ("2", "[1]")], name="maybe"),
        [
            (
                solution(
                    "maybe(self, n: int) -> Optional[List[int]]", "return [1] if n > 1 else None"
                ),
                True,
            ),
            (solution("maybe(self, n)", "return [1] if n > 1 else []"), False),
        ],
    ),
    "deep_recursion": (
        problem([("20000", "20000"), ("3", "3")], name="depth"),
        [
            (
                "class Solution:\n    def depth(self, n):\n"
                "        return 0 if n == 0 else 1 + self.depth(n - 1)\n",
                True,
            ),
            (solution("depth(self, n)", "return min(n, 10000)"), False),
        ],
    ),
    "state_between_tests": (
        problem([("1", "1"), ("2", "2"), ("3", "3")], name="count"),
        [
            (
                "class Solution:\n    n = 0\n    def count(self, x):\n        self.n += 1\n"
                "        return self.n\n",
                True,
            ),
            ("seen = []\ndef count(x):\n    seen.append(x)\n    return len(seen)\n", True),
        ],
    ),
    "strings": (
        problem([('"a b"\n"é"', '"é a b"')], name="join"),
        [
            (solution("join(self, a: str, b: str) -> str", "return f'{b} {a}'"), True),
            (solution("join(self, a, b)", "return f'{b} {a} '"), False),
        ],
    ),
    "large_functional": (
        problem([(json.dumps(BIG), str(max(BIG))), ("[1]", "1")], name="largest"),
        [
            (solution("largest(self, xs)", "return max(xs)"), True),
            (solution("largest(self, xs)", "return xs[-1]"), False),
            (solution("largest(self, xs)", "return xs"), False),
        ],
    ),
    "sum_of_two": (
        problem([("1 2\n", "3\n"), ("10 -4\n", "6\n")]),
        [
            ("a, b = map(int, input().split())\nprint(a + b)", True),
            ("import sys\nprint(sum(map(int, sys.stdin.read().split())))", True),
            ("print(sum(map(int, open(0).read().split())))", False),
            ("def main():\n    print(sum(map(int, input().split())))\nmain()", True),
            (
                "def main():\n    print(sum(map(int, input().split())))\n"
                "if __name__ == '__main__':\n    main()",
                True,
            ),
            (
                "def main():\n    print(sum(map(int, input().split())))\n"
                'if __name__ == "__main__":\n    main()\n    exit()',
                True,
            ),
            ("a, b = map(int, input().split())\nprint(a - b)", False),
            ("a, b = map(int, input().split())\nprint(a, b, a + b)", False),
            ("a, b = input().split()\nprint(a + b)", False),
            ("print(3)", False),
            ("print(1 / 0)", False),
            ("def f(:\n", False),
            ("import sys\nprint(sum(map(int, sys.stdin.readline().split())))\nsys.exit(0)", True),
            (
                "total = 0\ndef add(n):\n    global total\n    total += n\n"
                "for n in input().split(): add(int(n))\nprint(total)",
                False,
            ),
            ("if __name__ == '__main__':\n    print(sum(map(int, input().split())))\nx = 1", False),
            ("from typing import *\nprint(sum(map(int, input().split())))", True),
            ("print(reduce(add, map(int, input().split())))", True),
        ],
    ),
    "blank_lines_and_spaces": (
        problem([("3\n", "1\n2\n3\n"), ("1\n", "1")]),
        [
            ("for i in range(int(input())): print(i + 1, ' ')", True),
            ("print(*range(1, int(input()) + 1), sep='\\n', end='\\n\\n\\n')", True),
            ("print(*range(1, int(input()) + 1))", False),
            ("print(*range(1, int(input()) + 1), sep='\\n\\n')", False),
        ],
    ),
    "decimals": (
        problem([("2\n4\n5\n", "2\n2.5\n"), ("1\n7\n", "3.50")]),
        [
            ("for _ in range(int(input())): print(int(input()) / 2)", True),
            ("for _ in range(int(input())): print('%.4f' % (int(input()) / 2))", True),
            ("for _ in range(int(input())): print(int(input()) / 2 + 1e-9)", False),
            ("for _ in range(int(input())): print(Decimal(int(input())) / 2)", False),
        ],
    ),
    "close_large_integers": (
        problem([("1", "50000000000000001"), ("0", "50000000000000000")]),
        [
            ("print(50000000000000000 + int(input()))", True),
            ("print(float(50000000000000000 + int(input())))", False),
            ("print('50000000000000000' if input() == '0' else '5.0000000000000001e16')", True),
        ],
    ),
    "upper_and_lower_case": (
        problem([("4", "Yes"), ("5", "No")]),
        [
            ("print('Yes' if int(input()) % 2 == 0 else 'No')", True),
            ("print('YES' if int(input()) % 2 == 0 else 'NO')", False),
        ],
    ),
    "many_tests": (
        problem(SUMS, packed=False),
        [
            ("n = int(input())\nprint(sum(map(int, input().split())))", True),
            ("n = int(input())\nprint(n * (n - 1) // 2 if n < 90 else 0)", False),
        ],
    ),
    "large_input": (
        problem([(f"{len(BIG)}\n{' '.join(map(str, BIG))}\n", f"{max(BIG)} {min(BIG)}\n")]),
        [
            (
                "n = int(input())\nxs = list(map(int, input().split()))\nprint(max(xs), min(xs))",
                True,
            ),
            (
                "import sys\n_, *xs = map(int, sys.stdin.read().split())\nprint(max(xs), min(xs))",
                True,
            ),
            (
                "import sys\nn = int(sys.stdin.readline())\nxs = list(map(int, sys.stdin.readline().split()))"
                "\nprint(max(xs), min(xs))",
                True,
            ),
            (
                "n = int(input())\nxs = list(map(int, input().split()))\nprint(min(xs), max(xs))",
                False,
            ),
        ],
    ),
    "large_output": (
        problem([("50000", "\n".join(str(n * n) for n in range(50_000)))]),
        [
            ("print(*[n * n for n in range(int(input()))], sep='\\n')", True),
            ("for n in range(int(input())): print(n * n)", True),
            ("for n in range(int(input())): print(n * n + (n == 49999))", False),
        ],
    ),
    "modules_without_import": (
        problem([("12 18", "6"), ("7 5", "1")]),
        [
            ("print(gcd(*map(int, input().split())))", True),
            ("print(math.gcd(*map(int, input().split())))", True),
            (
                "xs = deque(map(int, input().split()))\nwhile xs[1]: xs = deque([xs[1], xs[0] % xs[1]])"
                "\nprint(xs[0])",
                True,
            ),
            ("print(numpy.gcd(*map(int, input().split())))", False),
        ],
    ),
    "own_classes": (
        problem([("3 1 2", "1 2 3")]),
        [
            (
                "class Bag:\n    def __init__(self, xs): self.xs = sorted(xs)\n"
                "print(*Bag(map(int, input().split())).xs)",
                True,
            ),
            (
                "def read(): return list(map(int, input().split()))\n"
                "def main():\n    xs = read()\n    xs.sort()\n    print(*xs)\nmain()",
                True,
            ),
            ("xs = sorted(input().split())[:-1]\nprint(*xs)", False),
        ],
    ),
    "too_slow": (
        problem([("1", "1")]),
        [("print(input())", True), ("while True: pass", False)],
    ),
    "several_answers_on_a_line": (
        problem([("2\n1 2\n3 4\n", "3 2\n7 12\n")]),
        [
            (
                "for _ in range(int(input())):\n    a, b = map(int, input().split())\n    print(a + b, a * b)",
                True,
            ),
            (
                "for _ in range(int(input())):\n    a, b = map(int, input().split())\n    print(float(a + b), a * b)",
                True,
            ),
            (
                "for _ in range(int(input())):\n    a, b = map(int, input().split())\n    print(a + b, a * b, end=' ')",
                False,
            ),
        ],
    ),
}

OURS = {
    ("sum_of_two", 2): "open(0) reads their own standard input: `from builtins import *` undoes "
    "their patch of `open`"
}
"""(problem, number of the program) -> why passk judges it otherwise."""
