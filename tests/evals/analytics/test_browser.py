"""The report as a person meets it, in headless Chromium; skipped where Chromium or playwright is not installed."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from evals.analytics.report.page import write

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
sync_api = pytest.importorskip("playwright.sync_api")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")]


def test_page_draws_and_its_browser_works_by_keyboard(database: Path, tmp_path: Path) -> None:
    page_file, *_ = write(database, tmp_path, recipe={}, title="quickstart", links=[])
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


@pytest.mark.parametrize(("scheme", "light"), [("light", True), ("dark", False)])
@pytest.mark.parametrize("width", [1280, 390])
def test_figures_open_large_and_follow_the_colour_scheme(database: Path, tmp_path: Path, scheme: str, light: bool, width: int) -> None:
    page_file, *_ = write(database, tmp_path, recipe={}, title="quickstart", links=[], underway=[("anneal", "running")])
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(page_file.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == ("rgb(255, 255, 255)" if light else "rgb(20, 25, 31)")
        # The corner of a figure has the background of the page: its drawing followed the scheme.
        corner = page.locator("figure img").first.screenshot()
        assert decoded(corner)[2, 2].tolist() == ([255, 255, 255] if light else [20, 25, 31])
        first, second = page.locator("figure .enlarge").nth(0), page.locator("figure .enlarge").nth(1)
        first.focus()
        page.keyboard.press("Enter")
        large = page.locator("dialog.large img")
        assert large.is_visible()
        assert large.bounding_box()["width"] >= min(width, 700)
        assert large.get_attribute("src") == first.locator("img").get_attribute("src")
        page.keyboard.press("ArrowRight")
        assert large.get_attribute("src") == second.locator("img").get_attribute("src")
        page.keyboard.press("Escape")
        assert not large.is_visible()
        assert page.evaluate("document.activeElement.className") == "enlarge"
        assert complaints == []
        browser.close()


def decoded(png: bytes) -> np.ndarray:
    """RGB of a screenshot."""
    import io

    from matplotlib.image import imread

    return (imread(io.BytesIO(png), format="png")[:, :, :3] * 255).round().astype(int)
