"""Templates: the pages' HTML with places for values."""

from importlib.resources import files
from typing import Any

import jinja2


def render(template: str, /, **values: Any) -> str:
    """The page as text; what is text among the values is escaped.

    Args:
        template: a file in `i2ibench/reports/templates`, such as "report.html".
        **values: what the template names, functions among them.
    """
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    source = (files("i2ibench.reports") / "templates" / template).read_text(encoding="utf-8")
    return environment.from_string(source).render(values)
