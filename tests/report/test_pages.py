"""Both pages in real headless Chromium: what a reader does, and what a hostile response cannot.

`make test-pages` installs what this needs; without it these tests skip.
"""

from __future__ import annotations

import csv
import dataclasses
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from conftest import REPO
from hostile_texts import HOSTILE
from run_status import large_status
from synthetic_study import draw as draw_answers
from synthetic_study import make_study, problem_rows, rates, write_cell

from passk.analysis.study import read_plan
from passk.analysis.tables import aggregate
from passk.core.artifacts import read_json, read_manifest, write_json
from passk.core.schemas import Sample, read_rows, write_rows
from passk.report.build import report
from passk.report.figures import draw
from passk.report.live import LivePages
from passk.report.web.local_server import LocalServer
from passk.review.labels import read_labels
from passk.review.pages import ReviewPages
from passk.review.queue import build_queue
from passk.review.session import ReviewSession, open_labels
from passk.review.tables import review_tables
from passk.workflow.status.progress import sorted_parts, state_of

sync_api = pytest.importorskip("playwright.sync_api", reason="make test-pages installs playwright")
CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.pages,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: make test-pages installs it"),
]

WIDTHS = (1280, 400)
SCHEMES = ("light", "dark")

MATHS = (
    "We have $x^2 = 4$ so \\(x = \\pm 2\\).\n$$\\frac{1}{2} + \\sum_{i=1}^n i$$\n"
    "It cost $5 and $6.\n```python\ndef f(x):\n    return x + 1  # <b>\n```\n"
    "So \\boxed{\\frac{1}{2}}.\n### Final **answer**\nis `2**3**2`, not 2**3**2 or a * b."
)


def put_texts(plan: Path, texts: list[str]) -> None:
    """Give the first problem's first responses of the first cell these texts."""
    path = Path(read_json(plan)["cells"][0]["samples"][0])
    rows = read_rows(path, Sample)
    for index, text in enumerate(texts):
        place = next(i for i, r in enumerate(rows) if (r.problem_id, r.sample) == ("p000", index))
        values = {name: getattr(rows[place], name) for name in Sample.__dataclass_fields__}
        rows[place] = Sample(**{**values, "text": text, "reasoning": text})
    write_rows(path, rows, read_manifest(path))


def write_all(plan: Path, labels: list[Path] | None = None) -> Path:
    folder = plan.parent
    aggregate(plan, folder / "tables")
    draw(folder / "tables", plan, folder / "figures")
    review_tables(plan, labels or [], folder / "reviewed")
    reviewed = sorted((folder / "reviewed").glob("*.csv"))
    report(plan, folder / "tables", folder / "figures", folder / "report.html", reviewed)
    return folder / "report.html"


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    plan = make_study(tmp_path_factory.mktemp("study"), problems=40, n=64)
    put_texts(plan, [MATHS, *HOSTILE])
    raw = read_json(plan)
    direct = write_cell(
        plan.parent, "direct", draw_answers(rates(40, sharp=True) * 0.2, 64, 5),
        {"label": "No reasoning", "benchmark": "arithmetic", "sampler": "hot", "base": None,
         "model": "direct"}, Path(raw["cells"][0]["problems"]),
    )  # fmt: skip
    assert problem_rows
    raw["cells"].append(direct)
    raw["review"] = {"accuracy": [0, 0.2], "guessing": "direct"}
    write_json(plan, raw)
    items = build_queue(read_plan(plan))
    for reviewer in ("ada", "bob"):
        with open_labels(plan.parent / "labels", reviewer) as labels:
            for index, item in enumerate(items[:30]):
                labels.add(
                    item.key, "flawed" if index % (3 if reviewer == "ada" else 4) else "valid"
                )
    return plan


@pytest.fixture(scope="module")
def page_file(plan: Path) -> Path:
    return write_all(plan, sorted((plan.parent / "labels").glob("*.jsonl")))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


class Watched:
    """A page whose console, errors and requests are kept."""

    def __init__(self, browser: Any, *, offline: bool = True, **options: Any) -> None:
        options.setdefault("viewport", {"width": 1280, "height": 800})
        self.context = browser.new_context(offline=offline, accept_downloads=True, **options)
        self.page = self.context.new_page()
        self.messages: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.messages.append(message.text))
        self.page.on("pageerror", lambda error: self.messages.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.messages.append("DIALOG"), dialog.dismiss()))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def close(self) -> None:
        self.context.close()


@pytest.fixture
def opened(browser: Any, page_file: Path) -> Iterator[Any]:
    watched = Watched(browser)
    watched.page.goto(page_file.as_uri())
    watched.page.wait_for_selector("#readout tbody tr")
    yield watched.page
    assert watched.messages == []
    assert {url.split(":")[0] for url in watched.asked} <= {"file", "data", "blob"}
    watched.close()


def sees(page: Any, selector: str, words: str) -> None:
    """Wait until an element says so; the page's policy lets no test evaluate conditions."""
    sync_api.expect(page.locator(selector)).to_contain_text(words)


def has_value(page: Any, selector: str, value: str) -> None:
    sync_api.expect(page.locator(selector)).to_have_value(value)


def rows_shown(page: Any) -> list[list[str]]:
    script = "rows => rows.map(r => [...r.cells].map(c => c.textContent))"
    found: list[list[str]] = page.eval_on_selector_all("#table-place tbody tr", script)
    return found


def test_the_first_screen_answers_without_scrolling(opened: Any) -> None:
    for selector in (".finding h2", ".finding .crossing", ".warnings h2", ".warnings li", "#chart"):
        box = opened.locator(selector).first.bounding_box()
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= 800, selector
    assert "overtakes at k ≈" in opened.locator(".finding .crossing").first.inner_text()


def test_curves_can_be_toggled_read_and_switched(opened: Any) -> None:
    names = opened.locator("#legend button")
    assert names.count() == 3
    assert opened.locator("#readout tbody tr").count() == 3
    names.nth(2).click()
    assert names.nth(2).get_attribute("aria-pressed") == "false"
    assert opened.locator("#readout tbody tr").count() == 2
    names.nth(2).click()
    problems = opened.locator("#readout tbody td").nth(1).inner_text()
    opened.select_option("#interval", "second")
    assert opened.locator("#readout tbody td").nth(1).inner_text() != problems
    opened.select_option("#interval", "none")
    assert opened.locator("#readout tbody td").nth(1).inner_text() == "\N{EN DASH}"
    opened.locator("#log").click()
    assert opened.locator("#log").get_attribute("aria-pressed") == "false"
    opened.select_option("#measure", "deltas")
    assert "minus" in opened.locator("#readout tbody th").first.inner_text()
    opened.select_option("#measure", "curves")
    opened.select_option("#kept", "without guessable, graded")
    assert opened.locator("#readout tbody tr").count() == 5


def test_hovering_and_the_slider_read_values_at_a_k(opened: Any) -> None:
    assert opened.locator("#k-shown").inner_text() == "64"
    box = opened.locator("#chart .u-over").bounding_box()
    opened.mouse.move(box["x"] + 3, box["y"] + 40)
    sync_api.expect(opened.locator("#k-shown")).to_have_text("1")
    opened.locator("#k").focus()
    opened.keyboard.press("ArrowRight")
    assert opened.locator("#k-shown").inner_text() == "2"


def test_a_click_on_a_number_leads_to_the_rows_it_came_from(opened: Any) -> None:
    opened.locator("#readout tbody button").first.click()
    has_value(opened, "#table", "problems")
    sees(opened, "#page-of", "cell = hot")
    assert len(rows_shown(opened)) == 40
    opened.locator("#table-place tbody tr").first.locator("a").nth(1).click()
    opened.wait_for_selector("#b-list button")
    assert opened.locator("#b-problem").input_value() == "p000"
    opened.locator(".finding .links a", has_text="problems lost").first.click()
    has_value(opened, "#table", "coverage")
    lost = len(rows_shown(opened))
    assert f"alone solves {lost} and" in opened.locator(".finding").first.inner_text()
    opened.locator(".warnings li a").first.click()
    sees(opened, "#page-of", "rows")


def test_tables_are_sorted_searched_turned_and_downloaded(opened: Any) -> None:
    opened.select_option("#table", "problems")
    sees(opened, "#page-of", "of 120 rows")
    assert len(rows_shown(opened)) == 100
    opened.locator("#later").click()
    assert len(rows_shown(opened)) == 20
    opened.locator("#earlier").click()
    head = opened.locator("#table-place th", has_text="accuracy")
    place = head.evaluate("th => th.cellIndex")
    head.locator("button").click()
    values = [float(row[place]) for row in rows_shown(opened)]
    assert values == sorted(values)
    assert head.get_attribute("aria-sort") == "ascending"
    head.locator("button").click()
    values = [float(row[place]) for row in rows_shown(opened)]
    assert values == sorted(values, reverse=True)
    opened.fill("#find", "p007")
    sees(opened, "#page-of", "of 3 rows")
    with opened.expect_download() as download:
        opened.locator("#csv").click()
    with Path(download.value.path()).open(encoding="utf-8") as file:
        saved = list(csv.DictReader(file))
    assert {row["problem_id"] for row in saved} == {"p007"}
    assert len(saved) == 3


def test_a_figure_is_saved_as_a_file_of_its_own(opened: Any) -> None:
    with opened.expect_download() as download:
        opened.locator("#chart-csv").click()
    with Path(download.value.path()).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["curve"] for row in rows} == {"T = 1.0", "T = 0.6", "No reasoning"}
    assert all(float(row["low"]) <= float(row["pass_at_k"]) <= float(row["high"]) for row in rows)
    figure = opened.locator(".figures figure").first
    for kind, start in (("svg", b"<svg"), ("png", b"\x89PNG"), ("txt", b"pass@k")):
        with opened.expect_download() as download:
            figure.locator(f"[data-kind={kind}]").click()
        content = Path(download.value.path()).read_bytes()
        assert content.startswith(start)
        assert b"var(--" not in content
        assert len(content) > (5000 if kind == "png" else 50)


def test_a_figures_rows_are_saved_as_csv(opened: Any) -> None:
    button = opened.locator(".figures [data-kind=csv][data-table=deltas]").first
    with opened.expect_download() as download:
        button.click()
    assert download.value.suggested_filename.endswith("-delta.csv")
    with Path(download.value.path()).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["benchmark"] for row in rows} == {button.get_attribute("data-benchmark")}
    assert all(float(row["ci_low"]) <= float(row["delta"]) <= float(row["ci_high"]) for row in rows)


def test_responses_are_filtered_by_verdict_answer_and_end(opened: Any) -> None:
    opened.evaluate("location.hash = '#responses?cell=hot&problem=p001'")
    opened.wait_for_selector("#b-list button")
    everything = opened.locator("#b-list button").count()
    assert everything == 64
    opened.locator("[data-verdict=correct]").click()
    wrong = opened.locator("#b-list button").count()
    assert "correct" not in opened.locator("#b-list").inner_text()
    opened.locator("[data-verdict=correct]").click()
    opened.select_option("#b-class", index=1)
    same = opened.locator("#b-list button").count()
    assert 0 < same < everything
    assert wrong < everything
    opened.select_option("#b-class", "")
    opened.select_option("#b-finish", "length")
    assert 0 < opened.locator("#b-list button").count() < 20


def test_maths_and_code_are_drawn_and_money_is_not_maths(opened: Any) -> None:
    opened.evaluate("location.hash = '#responses?cell=hot&problem=p000&sample=0'")
    opened.wait_for_selector("#b-text math")
    assert opened.locator("#b-text math").count() == 4
    assert "It cost $5 and $6." in opened.locator("#b-text").inner_text()
    assert opened.locator("#b-text pre .hljs-keyword").first.inner_text() == "def"
    assert "# <b>" in opened.locator("#b-text pre").inner_text()
    assert opened.locator("#b-text .heading").inner_text() == "Final answer"
    assert opened.locator("#b-text > code").inner_text() == "2**3**2"
    assert "not 2**3**2 or a * b." in opened.locator("#b-text").inner_text()
    opened.locator("#b-raw").click()
    assert opened.locator("#b-text").inner_text().strip() == MATHS


def test_the_base_s_count_leads_to_the_base_s_responses_beside_the_tuned_ones(opened: Any) -> None:
    opened.evaluate("location.hash = '#rows?table=coverage&category=base_only'")
    sees(opened, "#page-of", "category = base_only")
    head = opened.locator("#table-place th", has_text="base's correct")
    place = head.evaluate("th => th.cellIndex")
    row = opened.locator("#table-place tbody tr").first
    count = row.locator("td").nth(place).inner_text()
    row.locator("td").nth(place).locator("a").click()
    opened.wait_for_selector("#b-list button")
    assert opened.locator("#b-name").inner_text() == f"T = 1.0: {count} of 64 correct"
    assert opened.locator("#b-list button").count() == int(count)
    sync_api.expect(opened.locator("#b2-name")).to_have_text("T = 0.6: 0 of 64 correct")
    assert opened.locator("#b2-one").inner_text() == "No response matches these filters."
    opened.locator("[data-verdict=wrong]").click()
    assert opened.locator("#b2-list button").count() > 0


def test_responses_are_searched_and_walked_by_arrow_keys(opened: Any) -> None:
    opened.evaluate("location.hash = '#responses?cell=cold&problem=p003'")
    opened.wait_for_selector("#b2-list button")
    opened.select_option("#b-order", "rare")
    solved = opened.locator("#b-problem option").all_inner_texts()
    rare = [int(text.split(" · ")[1].split(" of ")[0]) for text in solved]
    assert [count for count in rare if count] == sorted(count for count in rare if count)
    assert rare[0] > 0
    opened.select_option("#b-order", "")
    has_value(opened, "#b-problem", "p003")
    first = opened.locator("#b-list button").first
    first.focus()
    opened.keyboard.press("ArrowDown")
    assert opened.locator("#b-one").get_attribute("data-sample") == "1"
    opened.keyboard.press("ArrowRight")
    has_value(opened, "#b-problem", "p004")
    opened.wait_for_selector("#b-list button")
    answer = opened.locator("#b-text").inner_text().removeprefix("The answer is ").strip(". ")
    same = opened.locator("#b-list button", has_text=f": {answer}").count()
    opened.fill("#b-find", f"is {answer}.")
    sees(opened, "#b-shown", f"{same} of 64 responses")
    assert opened.locator("#b-list button").count() == same


def test_an_address_holds_what_is_shown_and_back_returns(opened: Any, browser: Any) -> None:
    opened.evaluate("location.hash = '#responses?cell=cold&problem=p003&sample=5'")
    opened.wait_for_selector("#b-one[data-sample='5']")
    opened.locator("#b-following").click()
    has_value(opened, "#b-problem", "p004")
    opened.locator("#b-list [data-sample='7']").click()
    opened.fill("#b-find", "answer")
    sync_api.expect(opened).to_have_url(re.compile("find=answer"))
    watched = Watched(browser)
    watched.page.goto(opened.url)
    watched.page.wait_for_selector("#b-one[data-sample='7']")
    assert watched.page.locator("#b-problem").input_value() == "p004"
    assert watched.page.locator("#b-find").input_value() == "answer"
    watched.close()
    opened.go_back()
    opened.wait_for_selector("#b-one[data-sample='5']")
    assert opened.locator("#b-problem").input_value() == "p003"
    opened.select_option("#table", "problems")
    opened.locator("#table-place th", has_text="accuracy").locator("button").click()
    sync_api.expect(opened).to_have_url(re.compile("#rows[?]table=problems&sort=accuracy$"))
    opened.locator("#legend button").nth(2).click()
    opened.select_option("#measure", "deltas")
    sync_api.expect(opened).to_have_url(re.compile("#curves[?].*measure=deltas"))
    address = opened.url
    opened.select_option("#measure", "curves")
    opened.goto(address)
    has_value(opened, "#measure", "deltas")


@pytest.fixture(scope="module")
def wide_page(plan: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a base and twelve models on three benchmarks."""
    raw, folder = read_json(plan), tmp_path_factory.mktemp("wide")
    hot, cold = raw["cells"][:2]
    cells = []
    for benchmark in ("MATH500", "AMC23", "OlympiadBench"):
        same = {"benchmark": benchmark, "sampler": "s"}
        base = {**hot, **same, "id": f"base.{benchmark}", "label": "Qwen2.5-7B", "model": "base"}
        tuned = {**cold, **same, "role": "rl", "base": base["id"]}
        cells += [base, *(
            {**tuned, "id": f"m{i}.{benchmark}", "model": f"m{i}", "label": f"SimpleRL-Zoo {i}"}
            for i in range(12)
        )]  # fmt: skip
    wide = {**raw, "cells": cells, "scores": [], "figures": ["curves"], "title": "Twelve models"}
    wide.pop("review")
    write_json(folder / "plan.json", wide)
    return write_all(folder / "plan.json")


@pytest.mark.parametrize("width", WIDTHS)
def test_the_first_screen_of_many_models_is_a_sentence_and_a_matrix(
    browser: Any, wide_page: Path, width: int
) -> None:
    watched = Watched(browser, viewport={"width": width, "height": 800}, bypass_csp=True)
    page = watched.page
    page.goto(wide_page.as_uri())
    page.wait_for_selector("#readout tbody tr")
    sees(page, ".overview h2", "12 of 12 RL models are behind at k = 64 on all three benchmarks.")
    box = page.locator(".overview h2").bounding_box()
    assert box["y"] + box["height"] < 400
    rows = page.locator(".matrix tbody tr")
    assert rows.count() == 13
    assert "Qwen2.5-7B" in rows.first.inner_text()
    assert page.locator(".matrix td.behind").count() == 36
    assert page.locator(".matrix td.ahead").count() == 36
    assert page.evaluate("document.documentElement.scrollWidth") == width
    if width > 1000:
        box = rows.last.bounding_box()
        assert box["y"] + box["height"] <= 800
    assert axe(page) == []
    page.set_viewport_size({"width": 718, "height": 1000})  # A4 with margins
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth") == 718
    page.emulate_media(media="screen")
    rows.nth(1).locator("td a").nth(1).click()
    sees(page, "#page-of", "cell = m0.MATH500")
    assert watched.messages == []
    watched.close()


LIVE = (
    "script:not([type]), iframe, object, embed, img, video, link, meta, base, form, svg, a, style"
)
COUNT = f"() => document.body.querySelectorAll({LIVE!r}).length"


def test_hostile_responses_are_shown_as_text_and_run_nothing(opened: Any) -> None:
    assert len(HOSTILE) >= 20
    opened.evaluate("location.hash = '#responses?cell=hot&problem=p000&sample=1'")
    opened.wait_for_selector("#b-list button")
    before = opened.evaluate(COUNT)
    for index, text in enumerate(HOSTILE, start=1):
        opened.locator(f"#b-list [data-sample='{index}']").click()
        opened.wait_for_selector(f"#b-one[data-sample='{index}']")
        assert opened.evaluate(COUNT) == before, text[:80]
        assert opened.evaluate("window.hacked") is None, text[:80]
        assert opened.locator("#b-text [onerror], #b-text [onclick], #b-text [href]").count() == 0
        drawn = any(mark in text for mark in ("$", "\\(", "```")) or not text.isprintable()
        word = "" if drawn else text[:30]
        assert word in opened.locator("#b-text").evaluate("e => e.textContent"), text[:80]
    assert opened.evaluate("document.documentElement.scrollWidth") <= 1280
    opened.wait_for_timeout(200)
    assert opened.evaluate("window.hacked") is None


def axe(page: Any) -> list[str]:
    page.evaluate((REPO / "tests/pages/axe.js").read_text(encoding="utf-8"))
    found = page.evaluate("async () => (await axe.run()).violations")
    return [
        f"{fault['id']}: {node['html'][:200]} {node.get('failureSummary')}"
        for fault in found
        for node in fault["nodes"][:2]
        if fault["impact"] in {"serious", "critical"}
    ]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_the_report_fits_and_can_be_used_by_everybody(
    browser: Any, page_file: Path, width: int, scheme: str
) -> None:
    watched = Watched(
        browser, viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=True
    )
    page = watched.page
    page.goto(page_file.as_uri() + "#responses?cell=hot&problem=p000&sample=0")
    page.wait_for_selector("#b-text math")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert axe(page) == []
    for figure in page.locator("figure").all():
        words = figure.locator("figcaption").inner_text()
        assert len(words) > 40
    assert watched.messages == []
    watched.close()


def test_large_responses_stand_beside_the_page_and_their_absence_is_told(
    browser: Any, plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("passk.report.html.blocks.INLINE_BYTES", 60_000)
    page_file, folder = tmp_path / "report.html", plan.parent
    report(plan, folder / "tables", folder / "figures", page_file)
    assert sorted(path.name for path in (tmp_path / "report-responses").iterdir())
    for there in (True, False):
        if not there:
            shutil.rmtree(tmp_path / "report-responses")
        watched = Watched(browser)
        watched.page.goto(page_file.as_uri() + "#responses?cell=cold&problem=p003")
        if there:
            watched.page.wait_for_selector("#b-list button")
            assert watched.messages == []
        else:
            sees(watched.page, "#b-state", "is missing")
        watched.close()


@pytest.fixture
def server(plan: Path, tmp_path: Path) -> Iterator[LocalServer]:
    study = read_plan(plan)
    with open_labels(tmp_path / "labels", "eve") as labels:
        items = build_queue(study)
        hostile = [
            dataclasses.replace(
                item,
                **dict.fromkeys(("question", "text", "reasoning"), text),
                **dict.fromkeys(("answer", "detail"), text[:200]),
                images=(),
            )
            for item, text in zip(items, [MATHS, *HOSTILE], strict=False)
        ]
        server = LocalServer(ReviewPages(ReviewSession(study.title, hostile, labels)))
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
        server.server_close()


def open_review(browser: Any, server: LocalServer, **options: Any) -> Watched:
    watched = Watched(browser, offline=False, **options)
    watched.page.goto(server.url)
    watched.page.wait_for_selector("#response math")
    return watched


def test_labels_by_keyboard_with_a_note_undo_and_progress(
    browser: Any, server: LocalServer, tmp_path: Path
) -> None:
    watched = open_review(browser, server)
    page, file = watched.page, tmp_path / "labels/eve.jsonl"
    labels = lambda: [label for label, _ in read_labels(file).values()]  # noqa: E731
    for count, key in enumerate("vfu", start=1):
        page.keyboard.press(key)
        sees(page, "#count", f"{count} of")
    assert labels() == ["valid", "flawed", "unsure"]
    page.keyboard.press("z")
    sees(page, "#count", "2 of")
    assert labels() == ["valid", "flawed"]
    page.keyboard.press("n")
    page.keyboard.type("five is not odd")
    page.keyboard.press("Enter")
    page.keyboard.press("f")
    sees(page, "#count", "3 of")
    assert list(read_labels(file).values())[-1] == ("flawed", "five is not odd")
    page.keyboard.press("k")
    page.wait_for_selector("[data-label=flawed][aria-pressed=true]")
    page.keyboard.press("a")
    page.wait_for_selector("#agreement p")
    page.reload()
    sees(page, "#where", "4 of")
    assert watched.messages == []
    assert {url.split("/")[2] for url in watched.asked if url.startswith("http")} == {
        f"127.0.0.1:{server.server_port}"
    }
    watched.close()


def test_a_stopped_server_says_that_nothing_was_saved(browser: Any, server: LocalServer) -> None:
    watched = open_review(browser, server)
    watched.context.set_offline(True)
    watched.page.keyboard.press("v")
    watched.page.wait_for_selector("#problem:not(.hidden)")
    assert "Not saved" in watched.page.locator("#problem").inner_text()
    assert watched.page.locator("#bar").evaluate("bar => bar.value") == 0
    watched.close()


def test_the_review_page_shows_hostile_text_as_text(browser: Any, server: LocalServer) -> None:
    watched = open_review(browser, server)
    before = watched.page.evaluate(COUNT)
    for index in range(1, len(HOSTILE) + 1):
        watched.page.keyboard.press("j")
        sees(watched.page, "#where", f"{index + 1} of")
        watched.page.wait_for_load_state("networkidle")
        assert watched.page.evaluate(COUNT) == before
        assert watched.page.evaluate("window.hacked") is None
    assert watched.messages == []
    watched.close()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_the_review_page_fits_and_can_be_used_by_everybody(
    browser: Any, server: LocalServer, width: int, scheme: str
) -> None:
    size = {"width": width, "height": 800}
    watched = open_review(browser, server, viewport=size, color_scheme=scheme, bypass_csp=True)
    assert watched.page.evaluate("document.documentElement.scrollWidth") == width
    assert axe(watched.page) == []
    watched.close()


def open_live(browser: Any, server: LocalServer, **options: Any) -> Watched:
    watched = Watched(browser, offline=False, **options)
    watched.page.goto(server.url)
    watched.page.wait_for_selector("#parts tr")
    return watched


@pytest.fixture
def run_state() -> dict[str, Any]:
    """What the page of a run shows; a test may change it."""
    found = large_status()
    parts = [{**part, "state": state_of(part)} for part in sorted_parts(found)]
    parts[-1]["name"] = HOSTILE[0]
    return {**found, "title": "Sharpening", "parts": parts}


@pytest.fixture
def live(run_state: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalServer]:
    monkeypatch.setattr("passk.report.live.REUSED_SECONDS", 0)
    with LocalServer(LivePages(lambda: run_state)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_the_page_of_a_run_updates_itself_and_ends_when_the_study_is_done(
    browser: Any, live: LocalServer, run_state: dict[str, Any]
) -> None:
    watched = open_live(browser, live)
    page = watched.page
    first = page.locator("#parts tr").first
    assert first.locator("th").inner_text() == "training grpo-seed1"
    assert "5 of 12 steps" in first.inner_text()
    assert "reward 0.25" in first.inner_text()
    assert "41.2 [38.0, 44.3]" in page.locator("#parts tr").nth(1).inner_text()
    assert HOSTILE[0][:20] in page.locator("#parts tr th").last.inner_text()
    page.locator("[data-state=failed]").click()
    assert page.locator("#parts tr").count() == 1
    run_state["parts"][0]["steps_done"] = 6
    run_state["done"] = True
    page.locator("[data-state='']").click()
    sees(page, "#parts tr:first-child", "6 of 12 steps")
    sees(page, "#updated", "Done at")
    assert watched.messages == []
    assert {url.split("/")[2] for url in watched.asked if url.startswith("http")} == {
        f"127.0.0.1:{live.server_port}"
    }
    watched.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_of_a_run_fits_and_can_be_used_by_everybody(
    browser: Any, live: LocalServer, width: int
) -> None:
    size = {"width": width, "height": 800}
    watched = open_live(browser, live, viewport=size, color_scheme="dark", bypass_csp=True)
    assert watched.page.evaluate("document.documentElement.scrollWidth") == width
    assert axe(watched.page) == []
    watched.close()
