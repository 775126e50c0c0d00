"""The edits that a page asks for by name."""

from collections.abc import Callable
from typing import Any

import numpy as np

from i2ibench.apps.editor.classes import Classes
from i2ibench.apps.editor.editor import Editor
from i2ibench.apps.editor.instances import labels_of, next_id
from i2ibench.apps.editor.messages import (
    BrushRequest,
    FillRequest,
    InstanceRequest,
    LassoRequest,
    ModeRequest,
    RelabelRequest,
    Request,
    ShiftRequest,
    StampRequest,
    StyleRequest,
)
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
    set_style,
    stamp,
)
from i2ibench.errors import UserError

Edited = tuple[Scene, int | None]
"""The scene after an edit and the id of the instance that was edited, if it was one."""


def choose_brush(scene: Scene, classes: Classes, label: int, target: str | int) -> Brush:
    """Choose the class and the instance id that an edit with a class and a target writes.

    If "auto" extends an instance of a class that has no pixel, a new instance is made. Its id is
    the class's value in label files, or another new id if that is taken.

    Args:
        scene: the scene to edit.
        classes: the classes of the checkpoint.
        label: the number of the class. An instance id as target overrides it.
        target: "new" for a new instance, or the id of the instance to extend. "auto" makes a new
            instance of a thing class, and extends the largest instance of any other class.

    Raises:
        UserError: the instance does not exist, or no id is free.
    """
    if isinstance(target, int):
        return Brush(class_of(scene, target), target)
    if target == "new" or classes.things[label]:
        return Brush(label, next_id(scene.instance))
    areas = np.bincount(scene.instance[scene.label == label])
    if len(areas):
        return Brush(label, int(areas.argmax()))
    class_id = classes.ids[label]
    taken = bool((scene.instance == class_id).any())
    return Brush(label, next_id(scene.instance) if taken else class_id)


def brush_of(scene: Scene, editor: Editor, request: BrushRequest) -> Brush:
    """Return the class and the instance id that an edit request writes; see `choose_brush`.

    Raises:
        UserError: there is no such class or instance, or no id is free.
    """
    editor.check_class(request.label)
    return choose_brush(scene, editor.classes, request.label, request.instance)


def instances_to_style(scene: Scene, request: StyleRequest) -> list[int]:
    """Return the sorted ids of the instances that a request selects by instance, label or all.

    Raises:
        UserError: not exactly one of the three fields is given, or no instance is selected.
    """
    if sum(value is not None for value in (request.instance, request.label, request.all)) != 1:
        raise UserError("Say whose style it is: one of instance, label or all.")
    if request.instance is not None:
        class_of(scene, request.instance)  # checks that the instance exists
        return [request.instance]
    pixels = scene.instance if request.all else scene.instance[scene.label == request.label]
    ids = np.flatnonzero(np.bincount(pixels.ravel())).tolist()
    if not ids:
        raise UserError(f"There is no instance of class {request.label} in the scene.")
    return ids


def require_styles(editor: Editor) -> None:
    """Check that the editor's checkpoint has a style bank, before a request about styles is done.

    Raises:
        UserError: the checkpoint has no style bank.
    """
    if not editor.renderer.has_styles:
        raise UserError("This checkpoint has no styles.")


def _fill(scene: Scene, editor: Editor, request: FillRequest) -> Edited:
    brush = brush_of(scene, editor, request)
    return fill(scene, request.x, request.y, brush), brush.instance


def _lasso(scene: Scene, editor: Editor, request: LassoRequest) -> Edited:
    brush = brush_of(scene, editor, request)
    return lasso(scene, request.points, brush), brush.instance


def _stamp(scene: Scene, editor: Editor, request: StampRequest) -> Edited:
    editor.check_class(request.label)
    brush = choose_brush(scene, editor.classes, request.label, "new")
    mask = scaled(editor.stamps.mask(request.stamp), request.scale, request.flip)
    return stamp(scene, mask, request.x, request.y, brush), brush.instance


def _relabel(scene: Scene, editor: Editor, request: RelabelRequest) -> Edited:
    editor.check_class(request.label)
    after = relabel(scene, request.instance, request.label)
    return after, request.instance if after is scene else next_id(scene.instance)


def _duplicate(scene: Scene, editor: Editor, request: ShiftRequest) -> Edited:
    style = _current_style(scene, editor, request.instance)
    after = duplicate(scene, request.instance, request.dx, request.dy, style)
    return after, next_id(scene.instance)


def _current_style(scene: Scene, editor: Editor, instance: int) -> Style | None:
    """Return the chosen or random style of an instance, so that its copy looks like it.

    The result is None if there is no style bank, or no mode for the instance's class.
    """
    if instance in scene.styles:
        return scene.styles[instance]
    ids = np.array([instance], np.int64)
    (mode,) = editor.renderer.modes(scene, ids, labels_of(scene.label, scene.instance, ids))
    return Mode(mode) if mode >= 0 else None


def _move(scene: Scene, editor: Editor, request: ShiftRequest) -> Edited:
    moved = move(scene, editor.classes, request.instance, request.dx, request.dy)
    return moved, request.instance


def _delete(scene: Scene, editor: Editor, request: InstanceRequest) -> Edited:
    return delete(scene, editor.classes, request.instance), None


def _set_style(scene: Scene, editor: Editor, request: ModeRequest) -> Edited:
    require_styles(editor)
    ids, mode = instances_to_style(scene, request), request.mode
    labels = labels_of(scene.label, scene.instance, np.array(ids))
    able = [i for i, c in zip(ids, labels, strict=True) if mode < editor.renderer.num_modes(int(c))]
    if not able:
        raise UserError(f"The style bank has no mode {mode} for that.")
    return set_style(scene, able, Mode(mode)), request.instance


def _random_styles(scene: Scene, editor: Editor, request: Request) -> Edited:
    require_styles(editor)
    return randomise_styles(scene, scene.draw + 1), None


def _reset_styles(scene: Scene, editor: Editor, request: Request) -> Edited:
    require_styles(editor)
    return randomise_styles(scene, 0), None


EDITS: dict[str, Callable[[Scene, Editor, Any], Edited]] = {
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
"""The edits that need only the scene and the editor. Each is one step of the history."""
