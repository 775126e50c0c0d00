"""A style bank in words: the table of its classes, and what is said of one class."""

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from i2ibench.models.styles.bank import StyleBank


def bank_table(bank: StyleBank, classes: Sequence[str]) -> Table:
    """The classes that have modes, and a line that names the others."""
    counts = zip(classes, bank.counts.tolist(), strict=True)
    without = escape(", ".join(name for name, count in counts if not count))
    caption = f"painted with zeros, for lack of modes: {without}" if without else None
    table = Table(caption=caption, caption_justify="left")
    for name, justify in (("class", "left"), ("instances", "right"), ("modes", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    table.add_column("sizes")
    table.add_column("explained", justify="right")
    for label, count in enumerate(bank.counts.tolist()):
        if count:
            known = bool(bank.instances[label])
            sizes = " ".join(str(n) for n in bank.sizes[label, :count].tolist())
            explained = f"{bank.explained[label]:.1%}" if known else "?"
            instances = str(int(bank.instances[label])) if known else "?"
            sizes = sizes if known else "?"
            table.add_row(escape(classes[label]), instances, str(count), sizes, explained)
    return table


def facts_of(bank: StyleBank, label: int) -> str:
    """How many instances and modes a class has, and what these explain."""
    facts = [f"{int(bank.counts[label])} modes"]
    if bank.instances[label]:
        facts.insert(0, f"{int(bank.instances[label])} training instances")
        facts.append(f"{bank.explained[label]:.0%} of the variance explained")
    return ", ".join(facts)


def headings_of(bank: StyleBank, label: int) -> list[str]:
    """Each mode's number with its size, where that is known."""
    sizes = bank.sizes[label, : int(bank.counts[label])].tolist()
    if not any(sizes):
        return [f"mode {mode}" for mode in range(len(sizes))]
    return [f"mode {mode}  ({size})" for mode, size in enumerate(sizes)]
