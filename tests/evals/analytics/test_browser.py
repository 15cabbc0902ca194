"""The report as a person meets it, in headless Chromium; skipped where Chromium or playwright is not installed."""

import shutil
from pathlib import Path

import pytest

from evals.analytics import report

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
sync_api = pytest.importorskip("playwright.sync_api")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")]


def test_page_draws_and_its_browser_works_by_keyboard(database: Path, tmp_path: Path) -> None:
    page_file, *_ = report.write(database, tmp_path, recipe={}, title="quickstart", reading=[])
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 390, "height": 844})
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(page_file.as_uri())
        assert page.evaluate("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        shown = "[...document.querySelectorAll('[data-puzzle]')].filter((puzzle) => !puzzle.hidden).map((puzzle) => puzzle.textContent)"
        (first,) = page.evaluate(shown)
        page.keyboard.press("ArrowRight")
        (second,) = page.evaluate(shown)
        assert second != first
        page.keyboard.press("ArrowLeft")
        assert page.evaluate(shown) == [first]
        page.keyboard.press("/")
        page.keyboard.type("no such words anywhere")
        assert page.evaluate(shown) == []
        assert page.text_content("[data-count]") == "no problem fits"
        page.fill("[data-search]", "")
        page.select_option("[data-filter]", "story:learned")
        (learned,) = page.evaluate(shown)
        assert "learned" in learned
        assert complaints == []
        browser.close()
