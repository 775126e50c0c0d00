"""The report of an evaluation: one self-contained HTML page, and its tables in other formats."""

import base64
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from i2ibench.data.image_reading import read_rgb
from i2ibench.evaluation.image_sources import ORACLE
from i2ibench.io.files import write_text
from i2ibench.io.run_folders import run_folder
from i2ibench.reports import charts, tables
from i2ibench.reports import rendering as templates
from i2ibench.reports.published import SEEN, published_rows
from i2ibench.reports.training_curves import run_curves, stage_panels
from i2ibench.reports.verdicts import verdicts

Results = Mapping[str, Any]

STYLE_SCORES = {
    "style/control": "control", "style/control_levelled": "control, levelled",
    "style/hit": "hits", "style/hit_levelled": "hits, levelled",
    "style/hit_chance": "hits by chance", "style/hit_photos": "hits of photos",
    "style/leakage": "leakage", "style/change": "change inside", "style/r2": "R² of colours",
    "style/acc": "right names", "style/purity": "purity", "div/colour": "colour diversity",
    "div/colour_photos": "… of photos", "div/lpips_alex": "LPIPS diversity",
}  # fmt: skip
"""The columns of the table of styles, with their titles."""


def write_report(output_dir: Path, results: Results) -> Path:
    """Write an evaluation's `report.html` and results.csv, .md and .tex; return the page's path.

    Args:
        output_dir: the folder of the evaluation, with the images that the results name.
        results: the results of `evaluate`.
    """
    for suffix, text in (
        ("csv", tables.as_csv(results)),
        ("md", tables.as_markdown(results)),
        ("tex", tables.as_latex(results)),
    ):
        write_text(output_dir / f"results.{suffix}", text)
    path = output_dir / "report.html"
    write_text(path, render(output_dir, results))
    return path


def render(output_dir: Path, results: Results) -> str:
    """Return the HTML of the report of an evaluation; images and training logs are read here.

    Args:
        output_dir: the folder of the evaluation, with the images that the results name.
        results: the results of `evaluate`.
    """
    return templates.render(
        "report.html",
        title=tables.title,
        cell=tables.cell,
        name=_title(results),
        results=results,
        systems=list(results["systems"]),
        main=tables.main_scores(results),
        scores=tables.list_scores(results),
        missing=tables.missing_metrics(results),
        oracle=ORACLE,
        bars=png_uri(charts.class_bars(results)),
        curves=png_uri(charts.distance_curves(results)),
        control=png_uri(charts.control_matrix(results)),
        scatter=png_uri(charts.feature_scatter(results)),
        style_bars=png_uri(charts.style_bars(results)),
        styled=_styled(results),
        style_scores=STYLE_SCORES,
        verdicts=verdicts(results),
        scenes=list(_scenes(output_dir, results)),
        runs=list(_runs(results)),
        published=published_rows(results["data"]["name"]),
        seen=SEEN,
        protocol=json.dumps(results["protocol"], indent=2),
        origins=json.dumps(results["origins"], indent=2),
        versions=json.dumps(results["versions"] | {"devices": results["devices"]}, indent=2),
    )


def _title(results: Results) -> str:
    """Return the names of the evaluated systems without the source of their styles, at most four.

    Of more systems only the number is given.
    """
    systems = (name for name in results["systems"] if name not in results["controls"])
    names = list(dict.fromkeys(name.partition(", styles ")[0] for name in systems))
    return ", ".join(names) if len(names) <= 4 else f"{len(names)} systems"


def _styled(results: Results) -> list[str]:
    """Return the names of the systems that have numbers for charts of styles."""
    return [name for name in results["systems"] if results.get("figures", {}).get(name)]


def _scenes(output_dir: Path, results: Results) -> Iterator[dict[str, Any]]:
    """Yield for each example scene its name, its rank ("place") and its columns, for the template.

    A column is a dict with the name of the system ("input" for the label map) and images as data
    URIs: "picture", and "predicted" (the segmenter's labels) and "errors" if there are any. Image
    files are read as the iterator advances.
    """
    for example in results["shown"]:
        columns = []
        for name, path in example["pictures"].items():
            rows = {"picture": path, "predicted": example["predicted"].get(name),
                    "errors": example["errors"].get(name)}  # fmt: skip
            images = {k: image_uri(output_dir / p) for k, p in rows.items() if p}
            columns.append({"name": name, **images})
        yield {"name": example["scene"], "place": example["place"], "columns": columns}


def _runs(results: Results) -> Iterator[dict[str, Any]]:
    """Yield for each training run of a checkpoint its name, loss curves and validation images.

    "curves" and "panels" are data URIs by stage. A run of several evaluated checkpoints comes once.
    Systems from folders of images are left out.
    """
    seen = set()
    for origin in results["origins"].values():
        folder = Path(origin.get("checkpoint", "")).parent
        work_dir = run_folder(folder)
        if "checkpoint" not in origin or work_dir in seen:
            continue
        seen.add(work_dir)
        curves = {name: png_uri(plot) for name, plot in run_curves(work_dir).items()}
        panels = {name: image_uri(path, 1100) for name, path in stage_panels(work_dir).items()}
        yield {"name": work_dir.name, "curves": curves, "panels": panels}


def image_uri(path: Path, width: int = 384) -> str:
    """Read an image file and return it as the data URI of a PNG.

    Larger images are reduced until both sides have at most `width` pixels.
    """
    image = Image.fromarray(read_rgb(path))
    image.thumbnail((width, width))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return png_uri(buffer.getvalue())


def png_uri(png: bytes) -> str:
    """Return the bytes of a PNG file as a data URI; "" for no bytes."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}" if png else ""
