"""What `validate` says of a data set in the terminal."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from i2ibench.data.classes import ClassTable
from i2ibench.data.problems import Problem
from i2ibench.data.survey import SceneSurvey, count_classes

Facts = Mapping[str, Sequence[SceneSurvey]]


def summary_rows(facts: Facts) -> list[tuple[str, ...]]:
    """The head and, for each split, scenes, sizes, instances and faults."""
    rows: list[tuple[str, ...]] = [
        ("split", "scenes", "unusable", "sizes", "instance bits", "instances per scene")
    ]
    for split, scenes in facts.items():
        sizes = Counter(scene.size for scene in scenes if scene.size)
        shown = ", ".join(f"{w}x{h}" for (w, h), _ in sizes.most_common(3))
        shown += f", {len(sizes) - 3} more" if len(sizes) > 3 else ""
        bits = sorted({scene.bits for scene in scenes if scene.bits})
        counts = [len(np.unique(s.regions[:, 0])) for s in scenes if s.regions is not None]
        span = f"{min(counts)}..{max(counts)}, mean {np.mean(counts):.1f}" if counts else "no maps"
        unusable = sum(bool(scene.faults) for scene in scenes)
        bit_text = ", ".join(map(str, bits)) or "no maps"
        rows.append((split, str(len(scenes)), str(unusable), shown or "unknown", bit_text, span))
    return rows


def class_rows(facts: Facts, classes: ClassTable) -> list[tuple[str, ...]]:
    """The head and, for each class, its id, share of pixels, scenes and instances by split."""
    if not len(classes):
        return []
    head: list[str] = ["id", "class"]
    columns: list[list[str]] = []
    for split, scenes in facts.items():
        use = count_classes(scenes, len(classes))
        total = max(int(use.pixels.sum()), 1)
        head += [f"{split} %", "scenes", "instances"]
        columns.append([f"{100 * n / total:.3f}" if n else "-" for n in use.pixels.tolist()])
        columns += [[str(n) if n else "-" for n in x.tolist()] for x in (use.scenes, use.instances)]
    names = [
        [str(c.id) for c in classes.classes],
        [_shown(c.name, c.scored) for c in classes.classes],
    ]
    return [tuple(head), *zip(*names, *columns, strict=True)]


def _shown(name: str, scored: bool) -> str:
    return name if scored else f"{name} (not scored)"


def table(rows: Sequence[Sequence[str]], left: Iterable[int] = ()) -> str:
    """Rows as aligned text, the first as the head; numbers to the right, columns `left` not."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
    keep = set(left)
    return "\n".join(
        "  ".join(
            text.ljust(width) if i in keep else text.rjust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def problem_text(problem: Problem) -> str:
    """A problem and what mends it."""
    mark = "ERROR" if problem.fatal else "look"
    return f"{mark}: {problem.split}: {problem.kind}: {problem.message}\n  fix: {problem.fix}"
