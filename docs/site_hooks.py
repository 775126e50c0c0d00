"""Add pages to the documentation's site: the API reference, benchmark results, root documents."""

import ast
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
ROOT_PAGES = ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
RESULTS = "benchmarks/results"
WINGS = (
    "io", "registry", "data", "models", "inference", "evaluation", "training", "reports", "grids",
    "apps", "api", "cli", "testing",
)  # fmt: skip
TOP_LEVEL = ("i2ibench", "i2ibench.structures", "i2ibench.errors")


def on_files(files: Files, config: Any) -> Files:
    """Add the files that are not in docs/."""
    for name in ROOT_PAGES:
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    for path in sorted((ROOT / RESULTS).rglob("*")):
        if path.suffix in (".md", ".png", ".jpg"):
            name = path.relative_to(ROOT).as_posix()
            files.append(File.generated(config, name, abs_src_path=str(path)))
    for name, text in _api_pages().items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Rewrite links of the repository's layout to the site's, in which docs/ is the root."""
    markdown = re.sub(r"\]\(((?:\.\./)*)docs/", r"](\1", markdown)
    for name in (*ROOT_PAGES, f"{RESULTS}/"):
        markdown = markdown.replace(f"](../{name}", f"]({name}")
    return markdown


def _api_pages() -> dict[str, str]:
    """Return the text of each API page by its path: an index, the top level, one page a wing."""
    pages = {"api/i2ibench.md": _page("i2ibench", TOP_LEVEL)}
    index = ["# API reference", "", "One page for each wing of the package.", "",
             "| wing | contents |", "|---|---|",
             "| [i2ibench](i2ibench.md) | the functions of a notebook, the structures that parts "
             "exchange, the error for users |"]  # fmt: skip
    for wing in WINGS:
        folder = ROOT / "i2ibench" / wing
        modules = [".".join(path.relative_to(ROOT).with_suffix("").parts)
                   for path in sorted(folder.rglob("*.py")) if path.name[:2] != "__"]  # fmt: skip
        pages[f"api/{wing}.md"] = _page(f"i2ibench.{wing}", modules)
        text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))
        first = " ".join((text or "").partition("\n\n")[0].split())
        index.append(f"| [{wing}]({wing}.md) | {first} |")
    pages["api/index.md"] = "\n".join(index) + "\n"
    return pages


def _page(title: str, modules: Any) -> str:
    return "\n\n".join([f"# {title}", *(f"::: {module}" for module in modules)]) + "\n"
