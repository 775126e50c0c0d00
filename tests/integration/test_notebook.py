"""docs/notebook.ipynb runs from beginning to end, and its stored outputs are of today's code."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebook.ipynb"


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    folder = tmp_path_factory.mktemp("notebook")
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}})
    return client.execute()


def kinds(notebook):
    """The kinds of outputs of every code cell, such as image/png. JPEGs are not stored."""
    return [
        sorted(
            {key for one in cell.outputs for key in one.get("data", {one.output_type: 0})}
            - {"image/jpeg"}
        )
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def test_every_cell_runs_and_shows_what_is_stored(executed):
    assert kinds(executed) == kinds(nbformat.read(NOTEBOOK, as_version=4))
    assert sum("image/png" in shown for shown in kinds(executed)) >= 6


def test_it_names_no_folder_of_the_machine_that_it_was_run_on():
    """No absolute path stands in a cell or in an output; images are not searched."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    texts = [cell.source for cell in notebook.cells]
    for output in (one for cell in notebook.cells for one in cell.get("outputs", [])):
        texts.append(output.get("text", ""))
        texts += [v for kind, v in output.get("data", {}).items() if kind.startswith("text/")]
    found = [re.findall(r"(?<![\w.:/<])/(?:[\w.-]+/)+[\w.-]*", text) for text in texts]
    assert not any(found), found
