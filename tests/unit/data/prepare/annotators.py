"""Tiny data sets as annotation tools save them, written without this project's readers."""

import json

import numpy as np
from PIL import Image
from skimage.draw import polygon2mask

WIDTH, HEIGHT = 24, 16
ROOF = [[3.2, 9.1], [8.7, 2.3], [14.4, 9.6]]
WALL = [[3.2, 9.1], [14.4, 9.6], [13.9, 14.2], [4.1, 14.4]]
CAR = [[11.3, 6.2], [21.8, 6.9], [21.1, 13.3], [12.2, 12.8]]


def filled(points, height=HEIGHT, width=WIDTH):
    """Return the mask of a polygon by scikit-image, whose pixel centres are whole numbers."""
    return polygon2mask((height, width), np.array(points, float)[:, ::-1] - 0.5)


def photo(path, width=WIDTH, height=HEIGHT, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


def shape(label, points, kind="polygon", group=None, **more):
    return {"label": label, "points": points, "shape_type": kind, "group_id": group, "flags": {},
            **more}  # fmt: skip


def labelme(path, shapes, image="{stem}.png", size=(HEIGHT, WIDTH), **more):
    """Write a JSON file, and unless `image` is None the photo beside the file."""
    name = (image or "{stem}.png").format(stem=path.stem)
    if image is not None:
        photo(path.parent / name.replace("\\", "/"), seed=len(path.stem))
    sizes = {"imageHeight": size[0], "imageWidth": size[1]}
    content = {"version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": name,
               "imageData": None, **sizes, **more}  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def labelme_folder(root, shapes):
    """Write one photo in train/ and one in val/, with the same shapes."""
    for split in ("train", "val"):
        labelme(root / split / "a.json", shapes)
    return root


def annotation(image, category, segmentation, **more):
    return {"id": 1, "image_id": image, "category_id": category, "iscrowd": 0,
            "segmentation": segmentation, **more}  # fmt: skip


def flat(points):
    return [value for point in points for value in point]


CATEGORIES = [{"id": 1, "name": "house"}, {"id": 3, "name": "car"}]


def coco(path, annotations, photos=("a.png",), categories=CATEGORIES, folder=None, **more):
    """Write an annotation file; photos get the ids 0, 1 and so on."""
    images = []
    for number, name in enumerate(photos):
        photo((folder or path.parent) / name, seed=number)
        images.append({"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT, **more})
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"images": images, "annotations": annotations, "categories": categories}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def roboflow(root, annotations, **more):
    """Write train/ and valid/, each with the same annotations beside a photo."""
    for split in ("train", "valid"):
        coco(root / split / "_annotations.coco.json", annotations, **more)
    return root


def cvat(path, shapes, photos=("a.png",), labels="", attributes="", folder="images"):
    """Write annotations.xml with the same shapes, in XML, for every photo."""
    images = ""
    for number, name in enumerate(photos):
        photo(path.parent / folder / name, seed=number)
        images += (
            f'<image id="{number}" name="{name}" width="{WIDTH}" height="{HEIGHT}" {attributes}>'
            f"{shapes}</image>"
        )
    meta = f"<meta><task><labels>{labels}</labels></task></meta>"
    text = f"<annotations><version>1.1</version>{meta}{images}</annotations>"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'<?xml version="1.0" encoding="utf-8"?>\n{text}', encoding="utf-8")
    return path


def cvat_points(points):
    return ";".join(f"{x},{y}" for x, y in points)
