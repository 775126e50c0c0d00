"""What a brush paints: which instance a class's new pixels belong to."""

import numpy as np

from i2ibench.apps.editor.classes import Classes
from i2ibench.apps.editor.ids import next_id
from i2ibench.apps.editor.scene import Brush, Scene, class_of


def choose_brush(scene: Scene, classes: Classes, label: int, target: str | int) -> Brush:
    """What to paint for a class.

    Args:
        scene: what is painted on.
        classes: the checkpoint's.
        label: the class's channel; ignored for an id.
        target: "new" for a new instance; an id to extend that instance; "auto" for a new instance
            of things and the largest instance of other classes.

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
    own = classes.ids[label]
    taken = bool((scene.instance == own).any())
    return Brush(label, next_id(scene.instance) if taken else own)
