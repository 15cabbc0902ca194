from infra.reference_page import PAGE, page


def test_the_page_is_that_of_the_settings() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "settings or names have changed; run: python infra/reference_page.py"
