"""Which class each output of a network stands for."""

from collections.abc import Sequence

from i2ibench.errors import UserError, near_match


def rows_of(
    num_outputs: int,
    scored_classes: Sequence[str],
    outputs: Sequence[str | None] | None = None,
) -> tuple[int, ...]:
    """For each output of a network its class's row in the scores, or N for "something else".

    Args:
        num_outputs: what the network has.
        scored_classes: the names of the N scored classes, in row order.
        outputs: for each output the name of a scored class or None for "something else". Several
            may have one name; a class without an output is never predicted. None as a whole: the
            scored classes in order, further outputs are "something else".

    Raises:
        UserError: the counts do not fit (the message names both), or a name is no scored class.
    """
    num_classes = len(scored_classes)
    if outputs is None:
        if num_outputs < num_classes:
            raise UserError(
                f"The network has {num_outputs} outputs, fewer than the {num_classes} scored "
                "classes; say which class each output is with the segmenter's `outputs`."
            )
        return tuple(min(output, num_classes) for output in range(num_outputs))
    check_count(num_outputs, len(outputs))
    return tuple(num_classes if name is None else _row(name, scored_classes) for name in outputs)


def check_count(num_outputs: int, described: int) -> None:
    """Refuse a network with another number of outputs than a config describes.

    Raises:
        UserError: names both numbers.
    """
    if num_outputs != described:
        raise UserError(
            f"The network has {num_outputs} outputs, but the segmenter's `outputs` describe "
            f"{described}."
        )


def _row(name: str, scored_classes: Sequence[str]) -> int:
    if name not in scored_classes:
        raise UserError(
            f"The segmenter's `outputs` name {name!r}, which is no scored class."
            f"{near_match(name, scored_classes)} Scored: {', '.join(scored_classes)}. An output "
            "that is not scored is None."
        )
    return list(scored_classes).index(name)
