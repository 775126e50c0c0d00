"""The mark `slow` for all end-to-end tests, and a browser for the tests of pages."""

import shutil
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    """Mark the tests of this folder as slow, and begin with the tutorials, which take longest.

    `make test` leaves slow tests out, except for the main job.
    """
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("slow")
    items.sort(key=lambda item: item.path.name != "test_tutorials.py")


@pytest.fixture(scope="module")
def browser():
    """The system's Chromium, without a window."""
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install -e '.[dev]'")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no chromium: apt-get install --no-install-recommends chromium")
    with playwright.sync_playwright() as running:
        arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
        browser = running.chromium.launch(executable_path=chromium, args=arguments)
        yield browser
        browser.close()
