"""The shape of the code: sizes, names, one-way imports."""

import ast
import re
import subprocess
import sys
from pathlib import Path

from i2ibench.registry import contracts

ROOT = Path(__file__).parents[1]
SOURCES = sorted(p for d in ("i2ibench", "plugins", "tools") for p in (ROOT / d).rglob("*.py"))
GROUND_FLOOR = (
    "i2ibench.errors",
    "i2ibench.structures",
    "i2ibench.registry",
    "i2ibench.models.ops",
    "i2ibench.models.layers",
    "i2ibench.io.provenance",  # hashes of the files that a part reads
    "i2ibench.io.weights",
    "i2ibench.data.classes",
    "i2ibench.data.scenes",
    "i2ibench.evaluation.protocols.protocol",
    "i2ibench.evaluation.segmenters.framed_segmenter",  # the class that a segmenter plugin extends
    "i2ibench.evaluation.segmenters.framing",  # the pixel values and resizing of its network
    "i2ibench.inference.checkpoints",  # the checkpoint of a teacher
    "i2ibench.models.translators.base",
    "i2ibench.models.translators.paired",
    "i2ibench.models.translators.scene_noise",
    "i2ibench.testing.network_files",  # what a plugin's contract_options may write
)


def imported(path: Path) -> set[str]:
    modules = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add(node.module or "")
    return modules


def test_files_and_functions_are_short_and_named_for_their_noun():
    """A function's statements are counted by ruff (PLR0915), its lines here."""
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") <= 400, f"{path}: split the file"
        assert path.stem not in {"utils", "util", "helpers", "common", "misc"}, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno - node.lineno <= 60, f"{path}: {node.name} is too long"


def test_the_package_has_a_short_corridor():
    """A newcomer finds a room from the folder list: fourteen wings and three modules."""
    entries = [p for p in (ROOT / "i2ibench").iterdir() if p.name != "__pycache__"]
    assert len(entries) <= 17, sorted(p.name for p in entries)


def test_plugins_use_only_the_ground_floor():
    for path in (ROOT / "plugins").glob("*.py"):
        own = {module for module in imported(path) if module.startswith("i2ibench.")}
        assert all(f"{m}.".startswith(tuple(f"{f}." for f in GROUND_FLOOR)) for m in own), path


def test_nothing_imports_plugins_and_configs_import_nothing():
    for path in (ROOT / "i2ibench").rglob("*.py"):
        assert not any(m.startswith("i2ibench_plugins") for m in imported(path)), path
    for path in (ROOT / "configs").rglob("*.py"):
        assert not imported(path), path


def test_text_is_never_read_or_written_in_the_encoding_of_the_locale():
    for path in sorted([*SOURCES, *(ROOT / "benchmarks").rglob("*.py")]):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and opens_text(node):
                named = {keyword.arg for keyword in node.keywords}
                assert named & {"encoding", None}, f"{path}:{node.lineno}: pass encoding"


def opens_text(call: ast.Call) -> bool:
    """Whether a call looks like open(), Path.open(), read_text() or the like in text mode."""
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    of_a_method = isinstance(call.func, ast.Attribute)
    if of_a_method and getattr(call.func.value, "id", "") in ("tarfile", "zipfile", "Image"):
        return False
    if name in ("read_text", "write_text"):
        return of_a_method
    modes = [a.value for a in call.args if isinstance(a, ast.Constant)]
    named = [k.value for k in call.keywords if k.arg == "mode"]
    modes += [value.value for value in named if isinstance(value, ast.Constant)]
    text = any(re.fullmatch(r"[rwax]t?\+?|[rwax]\+?t?", str(mode)) for mode in modes)
    opener = name in ("open", "fdopen", "TemporaryFile", "NamedTemporaryFile")
    return opener and (text or (name == "open" and not call.args and of_a_method))


def test_importing_the_package_imports_nothing_else():
    loaded = "[name for name in sys.modules if name.partition('.')[0] == 'i2ibench']"
    code = f"import i2ibench, sys; print({loaded})"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert b"['i2ibench']" in found.stdout


def asked_by_name(path: Path, names: set[str]) -> list[str]:
    """The getattr and hasattr calls of a file that ask for one of the names."""
    calls = (n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if is_asking(n))
    return [
        f"{path.relative_to(ROOT)}:{call.lineno}: {call.args[1].value}"
        for call in calls
        if isinstance(call.args[1], ast.Constant) and call.args[1].value in names
    ]


def is_asking(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("getattr", "hasattr")
    )


def test_no_promise_of_a_part_is_asked_for_by_its_name():
    """A typed attribute with a default says it, so that a misspelt flag is an error."""
    bases = [getattr(contracts, name) for name in dir(contracts) if name[0].isupper()]
    names = {name for base in bases for name in (*vars(base), *base.__annotations__)}
    found = [line for path in SOURCES for line in asked_by_name(path, names - {"forward"})]
    assert not found, found
