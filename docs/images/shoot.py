"""Take the README's pictures of both pages: python docs/images/shoot.py outputs/miniature-demo."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from threading import Thread

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from passk.report.web.local_server import LocalServer
from passk.review.pages import ReviewPages
from passk.review.queue import Item, Key
from passk.review.session import ReviewSession, open_labels

HERE = Path(__file__).resolve().parent
SIZES = {"": (1280, 800), "-narrow": (400, 800)}

QUESTION = r"How many positive integers $n \le 100$ make $n^2 + n$ divisible by $6$?"
RESPONSE = r"""Write $n^2 + n = n(n+1)$. Two numbers in a row: one is even, so $2 \mid n(n+1)$.

For the factor $3$ we need $n \equiv 0$ or $n \equiv 2 \pmod 3$.
$$\left\lfloor \tfrac{100}{3} \right\rfloor + \left\lfloor \tfrac{101}{3} \right\rfloor = 66$$
A check by counting:
```python
print(sum((n * n + n) % 6 == 0 for n in range(1, 101)))
```
So the answer is \(\boxed{66}\)."""


def shoot(browser: Browser, address: str, name: str, wait: str) -> None:
    """Save one page at both widths, light and dark, as PNGs of few colours."""
    for suffix, (width, height) in SIZES.items():
        for scheme in ("light", "dark"):
            size = {"width": width, "height": height}
            context = browser.new_context(viewport=size, color_scheme=scheme)
            page = context.new_page()
            page.goto(address)
            page.wait_for_selector(wait)
            page.wait_for_timeout(300)
            path = HERE / f"{name}{suffix}-{scheme}.png"
            page.screenshot(path=path)
            Image.open(path).convert("RGB").quantize(128).save(path, optimize=True)
            context.close()


def example_server(folder: Path) -> LocalServer:
    """Return a review server with one example, twelve times."""
    items = [
        Item(
            Key("c", "divisible", i),
            "example",
            QUESTION,
            '"66"',
            (),
            RESPONSE,
            "66",
            "equal numbers",
        )
        for i in range(12)
    ]
    labels = open_labels(folder, "ada")
    for item in items[:4]:
        labels.add(item.key, "valid")
    return LocalServer(ReviewPages(ReviewSession("Sharpening is not learning", items, labels)))


def main() -> None:
    """Open both pages and save their pictures."""
    report = Path(sys.argv[1], "report.html").resolve()
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        shoot(browser, report.as_uri(), "report", "#readout tbody tr")
        server = example_server(Path(folder))
        Thread(target=server.serve_forever, daemon=True).start()
        shoot(browser, server.url, "review", "#response math")
        server.shutdown()
        browser.close()


if __name__ == "__main__":
    main()
