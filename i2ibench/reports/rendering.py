"""Rendering of HTML templates."""

from importlib.resources import files
from typing import Any

import jinja2


def render(template: str, /, **values: Any) -> str:
    """Render an HTML template with jinja2 and return the HTML; text values are escaped.

    Args:
        template: a file in `i2ibench/reports/templates`, such as "report.html".
        **values: the values and functions that the template uses, by name.
    """
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    source = (files("i2ibench.reports") / "templates" / template).read_text(encoding="utf-8")
    return environment.from_string(source).render(values)
