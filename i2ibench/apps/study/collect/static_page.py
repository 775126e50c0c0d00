"""Export of a study as one HTML file, which needs no server and can be opened from a disk.

The file holds the images, the plans of some participants, and the page's modules as data: URLs
in an import map. `?slot=3` in its address selects plan 3. Without it the participant types a
number, or a random plan is chosen. Answers stay in the browser. At the end the participant saves
them as a file that `answer_files.read_collected` reads, and sees the completion code. If Mechanical
Turk opened the page (with `assignmentId` and `turkSubmitTo` in the address), the page posts the
answers there instead. A policy in the page forbids every other connection.

A fixed completion code of the study file is part of the page's source, where a curious participant
may find it early. Without one, codes are derived from each participant's random token.
"""

import base64
import json
import re
from collections.abc import Collection
from pathlib import Path

from i2ibench.apps.study.collect.answer_files import MAX_SLOT
from i2ibench.apps.study.collect.page_texts import public_study
from i2ibench.apps.study.collect.session import page_trials
from i2ibench.apps.study.define.study import IMAGES, Study
from i2ibench.apps.web.serving import SHARED_FILES
from i2ibench.errors import UserError
from i2ibench.io.files import write_text

STATIC = Path(__file__).with_name("static")
ENTRY = "offline.js"
MAX_IMAGES = 500_000_000
"""Most bytes of base64 text of a page's images; browsers and hosts fail with many more."""
_STYLE = '<link rel="stylesheet" href="static/study.css">'
_SCRIPT = '<script type="module" src="static/online.js"></script>'
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' data:; style-src 'unsafe-inline'; "
    "img-src data:; form-action https://www.mturk.com https://workersandbox.mturk.com"
)
_IMPORT = re.compile(r'from "\./(\w+\.js)"')


def export_page(study: Study, path: Path, slots: int) -> int:
    """Write a study as one HTML file, which needs no server; return its size in bytes.

    Most of the file are images. An existing file is replaced.

    Args:
        study: a created study.
        path: the HTML file.
        slots: number of plans in the page: those from 0 to slots - 1.

    Raises:
        UserError: there are no plans or too many, an image is missing, or all images together are
            larger than MAX_IMAGES.
    """
    if not 1 <= slots <= MAX_SLOT + 1:
        raise UserError(f"A page has plans for 1 to {MAX_SLOT + 1} participants, not {slots}.")
    plans = [page_trials(study, slot) for slot in range(slots)]
    images = {trial[side] for plan in plans for trial in plan for side in ("left", "right")}
    _check_size(study, images, slots)
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    style = (STATIC / "study.css").read_text(encoding="utf-8")
    for old, new in ((_STYLE, f"<style>\n{style}</style>"), (_SCRIPT, _scripts())):
        before, separator, after = page.partition(old)
        assert separator, old
        page = before + new + after
    completion = study.definition.completion
    data = {
        "study": public_study(study, offline=True),
        "hash": study.hash,
        "plans": plans,
        "code": completion.code,
        "url": completion.url,
    }
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    parts = [f'<script type="application/json" id="study-data">{text}</script>']
    parts += [_image(study, name) for name in sorted(images)]
    page = page.replace("</body>", "\n".join([*parts, "</body>"]))
    write_text(path, page)
    return path.stat().st_size


def _scripts() -> str:
    """Return the HTML elements of the page's security policy, its modules, and its starting script.

    The modules are data: URLs in an import map: ENTRY and everything that it imports.
    """
    imports: dict[str, str] = {}
    waiting = [ENTRY]
    while waiting:
        name = waiting.pop()
        own = STATIC / name
        source = (own if own.exists() else SHARED_FILES / name).read_text(encoding="utf-8")
        waiting += [other for other in _IMPORT.findall(source) if f"study/{other}" not in imports]
        text = _IMPORT.sub(r'from "study/\1"', source)  # data: URLs have no relative names
        content = base64.b64encode(text.encode()).decode()
        imports[f"study/{name}"] = f"data:text/javascript;base64,{content}"
    return (
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f'<script type="importmap">{json.dumps({"imports": imports})}</script>\n'
        f'<script type="module">import "study/{ENTRY}";</script>'
    )


def _check_size(study: Study, images: Collection[str], slots: int) -> None:
    """Refuse more images than a page can have, before they are read."""
    size = 0
    for name in images:
        path = study.folder / IMAGES / f"{name}.png"
        try:
            size += 4 * -(-path.stat().st_size // 3)  # in base64
        except OSError as error:
            raise UserError(f"The picture {path} cannot be read: {error.strerror}.") from None
    if size > MAX_IMAGES:
        raise UserError(
            f"A page for {slots} participants would have {len(images)} pictures of "
            f"{size / 1e6:.0f} MB; {MAX_IMAGES / 1e6:.0f} MB are the most. Take fewer --slots, "
            "or create the study with fewer scenes or with a smaller size=(width, height)."
        )


def _image(study: Study, name: str) -> str:
    """Return the HTML element that holds an image of the page, in base64."""
    path = study.folder / IMAGES / f"{name}.png"
    try:
        content = base64.b64encode(path.read_bytes()).decode()
    except OSError as error:
        raise UserError(f"The picture {path} cannot be read: {error.strerror}.") from None
    return f'<script type="text/plain" id="picture-{name}">{content}</script>'
