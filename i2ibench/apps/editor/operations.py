"""The edits that a page asks for by name."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from i2ibench.apps.editor.brush import choose_brush
from i2ibench.apps.editor.editor import Editor
from i2ibench.apps.editor.ids import next_id
from i2ibench.apps.editor.instances import labels_of
from i2ibench.apps.editor.rasterise import scaled
from i2ibench.apps.editor.scene import (
    Brush,
    Mode,
    Scene,
    Style,
    class_of,
    delete,
    duplicate,
    fill,
    lasso,
    move,
    randomise_styles,
    relabel,
    reset_styles,
    set_style,
    stamp,
)
from i2ibench.errors import UserError

Edited = tuple[Scene, int | None]
"""The scene after an edit, and the instance that it was about."""

Fields = Mapping[str, Any]


def brush_of(scene: Scene, editor: Editor, fields: Fields) -> Brush:
    """What the fields `label` and `instance` say is painted.

    Raises:
        UserError: there is no such class or instance.
    """
    editor.check_class(fields["label"])
    return choose_brush(scene, editor.classes, fields["label"], fields["instance"])


def instances_to_style(scene: Scene, fields: Fields) -> list[int]:
    """The instances that the fields `instance`, `label` or `all` name, exactly one of them.

    Raises:
        UserError: none or several are given, or there is no such instance.
    """
    given = fields.keys() & {"instance", "label", "all"}
    if len(given) != 1:
        raise UserError("Say whose style it is: one of instance, label or all.")
    if "instance" in fields:
        class_of(scene, fields["instance"])
        return [fields["instance"]]
    everyone = "all" in fields
    pixels = scene.instance[everyone | (scene.label == fields.get("label"))]
    ids = [int(i) for i in np.flatnonzero(np.bincount(pixels))]
    if not ids:
        raise UserError(f"There is no instance of class {fields['label']} in the scene.")
    return ids


def _fill(scene: Scene, editor: Editor, fields: Fields) -> Edited:
    paint = brush_of(scene, editor, fields)
    return fill(scene, fields["x"], fields["y"], paint), paint.instance


def _lasso(scene: Scene, editor: Editor, fields: Fields) -> Edited:
    paint = brush_of(scene, editor, fields)
    return lasso(scene, fields["points"], paint), paint.instance


def _stamp(scene: Scene, editor: Editor, fields: Fields) -> Edited:
    paint = brush_of(scene, editor, {**fields, "instance": "new"})
    mask = scaled(editor.stamps.mask(fields["stamp"]), fields["scale"], fields["flip"])
    return stamp(scene, mask, fields["x"], fields["y"], paint), paint.instance


def _relabel(scene: Scene, editor: Editor, fields: Fields) -> Edited:
    editor.check_class(fields["label"])
    after = relabel(scene, fields["instance"], fields["label"])
    return after, fields["instance"] if after is scene else next_id(scene.instance)


def _duplicate(scene: Scene, editor: Editor, fields: Fields) -> Edited:
    instance = fields["instance"]
    after = duplicate(scene, instance, fields["dx"], fields["dy"], _look(scene, editor, instance))
    return after, next_id(scene.instance)


def _look(scene: Scene, editor: Editor, instance: int) -> Style | None:
    """How an instance looks now, drawn or chosen, so that its copy looks the same."""
    if instance in scene.styles:
        return scene.styles[instance]
    ids = np.array([instance], np.int64)
    (mode,) = editor.renderer.modes(scene, ids, labels_of(scene, ids))
    return Mode(mode) if mode >= 0 else None


def _move(scene: Scene, editor: Editor, fields: Fields) -> Edited:
    instance = fields["instance"]
    return move(scene, editor.classes, instance, fields["dx"], fields["dy"]), instance


def _delete(scene: Scene, editor: Editor, fields: Fields) -> Edited:
    return delete(scene, editor.classes, fields["instance"]), None


def _set_style(scene: Scene, editor: Editor, fields: Fields) -> Edited:
    require_styles(editor)
    ids, mode = instances_to_style(scene, fields), fields["mode"]
    labels = labels_of(scene, np.array(ids))
    able = [i for i, c in zip(ids, labels, strict=True) if mode < editor.renderer.num_modes(int(c))]
    if not able:
        raise UserError(f"The style bank has no mode {mode} for that.")
    return set_style(scene, able, Mode(mode)), fields.get("instance")


def _random_styles(scene: Scene, editor: Editor, fields: Fields) -> Edited:
    require_styles(editor)
    return randomise_styles(scene, scene.draw + 1), None


def _reset_styles(scene: Scene, editor: Editor, fields: Fields) -> Edited:
    require_styles(editor)
    return reset_styles(scene), None


def require_styles(editor: Editor) -> None:
    """Refuse styles where there are none.

    Raises:
        UserError: the checkpoint has no style bank.
    """
    if not editor.renderer.has_styles:
        raise UserError("This checkpoint has no styles.")


EDITS: dict[str, Callable[[Scene, Editor, Fields], Edited]] = {
    "fill": _fill,
    "lasso": _lasso,
    "stamp": _stamp,
    "relabel": _relabel,
    "duplicate": _duplicate,
    "move": _move,
    "delete": _delete,
    "set_style": _set_style,
    "random_styles": _random_styles,
    "reset_styles": _reset_styles,
}
"""Every edit that needs no more than the scene; each is one step of the history."""
