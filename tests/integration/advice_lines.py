"""Every command line that README, docs, help texts, messages and templates give as advice."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from i2ibench.cli.main import COMMANDS

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
INLINE = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")
PROGRAMS = ("i2ibench", "python", "pip", "pytest", "torchrun", "make", "rm", "docker", "ssh")
NAMES = "|".join(sorted([*COMMANDS, "new-plugin"], key=len, reverse=True))
IN_TEXT = re.compile(
    rf"i2ibench (?:{NAMES})\b(?! \d+$)(?!`s)[^`;\n]*"
    r"|pip install (?:-e )?['\"]?[\w\[\]./{}-]+['\"]?"
    r"|pytest (?:--pyargs )?[\w./{}-]+(?: --plugin [\w./{}-]+)?|rm -- [^`;\n]*"
)
"""A command within a message: up to a backtick, a semicolon or the line's end."""


def documents() -> list[Path]:
    """The pages that people read."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


def fenced_lines() -> Iterator[tuple[str, str]]:
    """Yield (page, command line) of the blocks in bash, without comments."""
    for page in documents():
        for language, content in BLOCK.findall(page.read_text(encoding="utf-8")):
            if language == "bash":
                for line in content.replace("\\\n", " ").splitlines():
                    command = re.sub(r"(^|\s)#.*", "", line).strip()
                    if command:
                        yield page.name, " ".join(command.split())


def inline_commands() -> Iterator[tuple[str, str]]:
    """Yield (page, command line) of code within sentences that begins with a program or command."""
    for page in documents():
        text = BLOCK.sub("", page.read_text(encoding="utf-8"))
        for code in INLINE.findall(text):
            words = code.split()
            if len(words) > 1 and words[0] in (*PROGRAMS, *COMMANDS, "new-plugin"):
                yield page.name, " ".join(words)


def source_files() -> list[Path]:
    """The modules whose messages and help texts people see, and the templates."""
    found = [path for name in ("i2ibench", "plugins") for path in (ROOT / name).rglob("*.py")]
    return sorted(path for path in found if "static" not in path.parts)


def texts(path: Path) -> Iterator[str]:
    """Yield every string of a module that people see; {expression} stands for what is put in.

    Docstrings are seen where they are a command's help.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    seen = ast.get_docstring(tree) if path.parent.name == "cli" else None
    unseen = {id(part) for node in ast.walk(tree) for part in _docstring_or_parts(node)}
    yield seen or ""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(map(_written, node.values))
        elif isinstance(getattr(node, "value", None), str) and id(node) not in unseen:
            yield node.value


def _docstring_or_parts(node: ast.AST) -> list[ast.AST]:
    if isinstance(node, ast.JoinedStr):
        return list(node.values)
    holders = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    if isinstance(node, holders) and node.body and isinstance(node.body[0], ast.Expr):
        return [node.body[0].value]
    return []


def _written(part: ast.AST) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    assert isinstance(part, ast.FormattedValue)
    return f"{{{ast.unparse(part.value)}}}"


def advised_commands() -> Iterator[tuple[str, str]]:
    """Yield (file, command line) of messages, help texts and templates."""
    for path in source_files():
        for text in texts(path):
            for found in IN_TEXT.findall(text):
                yield str(path.relative_to(ROOT)), tidy(found)
    for path in sorted((ROOT / "i2ibench").rglob("templates/*")):
        if path.is_file():
            for found in IN_TEXT.findall(path.read_text(encoding="utf-8")):
                yield str(path.relative_to(ROOT)), tidy(found)


def tidy(line: str) -> str:
    """Return a command without comments, tags and the punctuation of its sentence."""
    return re.sub(r"(?<=\S)[.,:)]+$", "", " ".join(re.sub(r"(^|\s)#.*|<.*", "", line).split()))


def options_in(text: str) -> list[str]:
    """Return the options such as --fresh that a text names."""
    return re.findall(r"(?<![\w-])--[a-z][a-z0-9_-]*", text)
