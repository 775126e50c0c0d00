"""The report of a study: one self-contained HTML page, and its table in other formats."""

import json
from collections.abc import Callable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from i2ibench.io.files import write_text
from i2ibench.reports import study_tables
from i2ibench.reports.page import image_uri, png_uri
from i2ibench.reports.published import published_preferences
from i2ibench.reports.rendering import render
from i2ibench.reports.study_charts import CHARTS, DARK, LIGHT
from i2ibench.reports.study_tables import (
    Rate,
    RateTable,
    headline,
    p_text,
    percent,
    rule_lines,
    seconds,
)

Analysis = Mapping[str, Any]
Image = Callable[[str, str], Path]
"""A function from a method and a scene to the file of the image."""

WIDTH = 420
"""The width of an image in the page, in pixels."""


def write_study_report(folder: Path, analysis: Analysis, image: Image) -> Path:
    """Write a user study's `report.html`, `table.csv`, `.md` and `.tex`; return the page's path.

    Args:
        folder: the folder for the files.
        analysis: the analysis of `study analyse`.
        image: returns the path of a method's image of a scene. The page says so if a file does not
            exist.
    """
    for suffix, text in (
        ("csv", study_tables.study_csv(analysis)),
        ("md", study_tables.study_markdown(analysis)),
        ("tex", study_tables.study_latex(analysis)),
    ):
        write_text(folder / f"table.{suffix}", text)
    write_text(folder / "report.html", render_study(analysis, image))
    return folder / "report.html"


def render_study(analysis: Analysis, image: Image) -> str:
    """Return the HTML of the report of a user study; the images of example scenes are read here.

    Args:
        analysis: the analysis of `study analyse`.
        image: returns the path of a method's image of a scene; the file need not exist.
    """
    study = analysis["study"]
    about = {key: study[key] for key in ("hash", "created", "reference", "definition", "scenes")}
    return render(
        "study.html",
        percent=percent,
        seconds=seconds,
        p_text=p_text,
        analysis=analysis,
        study=study,
        counts=analysis["counts"],
        quality=analysis["quality"],
        headline=headline(analysis),
        grid=study_tables.preference_grid(analysis),
        timed=bool(study["definition"]["durations"]),
        charts={name: _themed(draw, analysis) for name, draw in CHARTS.items()},
        strengths=analysis["bradley_terry"],
        rules=rule_lines(analysis),
        examples=_examples(analysis, image),
        published=_published(),
        about=json.dumps(about, indent=2, ensure_ascii=False),
        origins=json.dumps(study["origins"], indent=2, ensure_ascii=False),
        settings=json.dumps(analysis["settings"] | analysis["versions"], indent=2),
    )


def _themed(draw: Callable[..., bytes], analysis: Analysis) -> dict[str, str]:
    """Draw a chart for light and for dark pages; return the data URIs by "light" and "dark".

    Return {} if there is nothing to draw.
    """
    drawn = {"light": draw(analysis, LIGHT), "dark": draw(analysis, DARK)}
    if not drawn["light"]:
        return {}
    return {name: png_uri(png) for name, png in drawn.items()}


def _examples(analysis: Analysis, image: Image) -> list[dict[str, Any]]:
    """Return for each pair of methods the scenes on which participants agreed most and least.

    Each pair is a dict with "first", "second" and "shown". The latter has for each scene the row of
    the analysis with its votes, "place" ("highest" or "lowest") and "pictures": the data URIs of
    both methods' images, "" for a missing file. The fewer pairs, the more scenes: 4, 2 or 1 of each
    kind.
    """
    pairs = analysis["agreement"]
    number = 4 if len(pairs) <= 2 else 2 if len(pairs) <= 6 else 1
    uris: dict[tuple[str, str], str] = {}

    def uri(method: str, scene: str) -> str:
        if (method, scene) not in uris:
            path = image(method, scene)
            uris[method, scene] = image_uri(path, WIDTH) if path.is_file() else ""
        return uris[method, scene]

    found = []
    for pair in pairs:
        votes = {row["scene"]: row for row in pair["scenes"]}
        shown = [
            votes[scene]
            | {"place": place, "pictures": [uri(pair[side], scene) for side in ("first", "second")]}
            for place in ("highest", "lowest")
            for scene in pair[place][:number]
        ]
        found.append({"first": pair["first"], "second": pair["second"], "shown": shown})
    return found


def _published() -> list[tuple[str, str, str, RateTable]]:
    """Return the preference tables of papers, each as title, `seen`, source and table of rates.

    `seen` says where the numbers were seen, see `i2ibench.reports.published.SEEN`.
    """
    found = []
    rows = published_preferences()
    for (table, data, seen), group in groupby(rows, lambda r: (r["table"], r["data"], r["seen"])):
        own = list(group)
        names = list(dict.fromkeys(row["row"] for row in own))
        columns = list(dict.fromkeys(row["column"] for row in own))
        cells = {(row["row"], row["column"]): Rate(str(row["value"])) for row in own}
        lines = [(name, [cells.get((name, c), Rate("–")) for c in columns]) for name in names]
        found.append((f"{table}: {data}", seen, own[0]["source"], RateTable("", columns, lines)))
    return found
