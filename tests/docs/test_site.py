"""The documentation's site: it builds without a warning, and every link, page and word is there."""

import importlib.util
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

ROOT = Path(__file__).parents[2]
MISSING = [
    name for name in ("mkdocs", "material", "mkdocstrings") if not importlib.util.find_spec(name)
]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        bool(MISSING), reason=f"not installed: {', '.join(MISSING)}; pip install -e '.[docs]'"
    ),
]

WORDS = {
    "classes.json": "data-sets.html",
    "device-side assert": "troubleshooting.html",
    "CoarseToFineGenerator": "api/models.html",
    "torchrun": "distributed.html",
    "Bradley": "studies.html",
    "HingeGAN": "plugins.html",
}
"""Words that somebody searches for, and a page that the search must offer."""


class Page(HTMLParser):
    """Anchors and links of a page of the built site."""

    def __init__(self, path):
        super().__init__()
        self.anchors, self.links, self.navigation = set(), set(), set()
        self._in_navigation = 0
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.anchors.add(values.get("id") or "")
        if tag == "a" and values.get("name"):
            self.anchors.add(values["name"])
        self._in_navigation += tag == "nav"
        target = values.get("href") if tag in ("a", "link") else values.get("src")
        if target and not re.match(r"[a-z]+:|//", target):
            self.links.add(target)
            if self._in_navigation and tag == "a":
                self.navigation.add(target)

    def handle_endtag(self, tag):
        self._in_navigation -= tag == "nav"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site, built strictly."""
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def pages(site):
    """Every page of the site by its path."""
    return {
        path.relative_to(site).as_posix(): Page(path)
        for path in site.rglob("*.html")
        if path.name != "404.html"
    }


def resolve(site, page, link):
    """Return the path in the site and the anchor that a link leads to."""
    address, anchor = urldefrag(link)
    target = (site / page).parent / unquote(address) if address else site / page
    target = target.resolve()
    if target.is_dir():
        target /= "index.html"
    return target, unquote(anchor)


def test_no_link_is_dead_and_no_anchor_is_missing(site, pages):
    dead = []
    for name, page in pages.items():
        for link in page.links:
            target, anchor = resolve(site, name, link)
            if not target.is_file():
                dead.append((name, link))
            elif anchor and target.suffix == ".html":
                there = pages[target.relative_to(site.resolve()).as_posix()].anchors
                if anchor not in there and not anchor.startswith("__"):
                    dead.append((name, link))
    assert not dead


def test_every_page_is_in_the_navigation(site, pages):
    listed = {
        resolve(site, "index.html", link)[0].relative_to(site.resolve()).as_posix()
        for link in pages["index.html"].navigation
        if resolve(site, "index.html", link)[0].is_file()
    }
    assert not pages.keys() - listed - {"index.html"}


def test_every_wing_has_a_page_of_the_reference(site):
    wings = {path.parent.name for path in (ROOT / "i2ibench").glob("*/__init__.py")}
    there = {path.stem for path in (site / "api").glob("*.html")}
    assert there == wings | {"index", "i2ibench"}


@pytest.mark.parametrize(("word", "page"), WORDS.items())
def test_the_search_finds(word, page, site):
    index = json.loads((site / "search/search_index.json").read_text(encoding="utf-8"))
    found = {
        entry["location"].partition("#")[0]
        for entry in index["docs"]
        if word.lower() in f"{entry['title']} {entry['text']}".lower()
    }
    assert page in found


def test_nothing_names_the_machine_that_it_was_written_on(site):
    pattern = re.compile(r"(?<![\w.])/(?:work|tmp|home|root)/\w|\bshared/")
    for path in [*(ROOT / "docs").glob("*.md"), *(site / "benchmarks").rglob("*.html")]:
        assert not pattern.search(path.read_text(encoding="utf-8")), path
