"""Tiny data sets in the publishers' own formats, written without this project's readers."""

import json
import struct

import numpy as np
import scipy.io
from PIL import Image

RNG = np.random.default_rng(0)


def photo(path, width=12, height=8):
    """Write a JPEG; return its bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = RNG.integers(0, 255, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, quality=95)
    return path.read_bytes()


def png(path, pixels, palette=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    if palette:
        image.putpalette(np.random.default_rng(1).integers(0, 255, 768, dtype=np.uint8).tobytes())
        assert image.mode == "P"
    image.save(path)


NYU_NAMES = ["book", "bottle", "cabinet", "ceiling", "chair", "wall", "rolling chair"]
NYU_40 = ["wall", "floor", "cabinet", "chair", "ceiling", "otherprop"]
NYU_MAP = [6, 6, 3, 5, 4, 1, 4]


def nyuv2(root, count=5):
    """Write the three files; return images HxWx3xN, labels and instances HxWxN as in MATLAB."""
    import h5py

    root.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(2)
    images = rng.integers(0, 256, (480, 640, 3, count), dtype=np.uint8)
    labels = np.repeat(np.repeat(rng.integers(0, 8, (30, 40, count)), 16, 0), 16, 1)
    instances = np.repeat(np.repeat(rng.integers(0, 4, (30, 40, count)), 16, 0), 16, 1)
    labels, instances = labels.astype(np.uint16), instances.astype(np.uint8)
    path = root / "nyu_depth_v2_labeled.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, values in (("images", images), ("labels", labels), ("instances", instances)):
            # MATLAB's first dimension varies fastest: HDF5 sees the dimensions reversed.
            chunks = tuple(reversed(values.shape[:-1]))
            stored = file.create_dataset(
                name, data=values.transpose(), chunks=(1, *chunks), compression="gzip"
            )
            stored.attrs["MATLAB_class"] = np.bytes_(values.dtype.name)
        cells = file.create_dataset("names", (1, len(NYU_NAMES)), dtype=h5py.ref_dtype)
        for i, name in enumerate(NYU_NAMES):
            text = np.array([[ord(letter)] for letter in name], np.uint16)
            cells[0, i] = file.create_dataset(f"#refs#/{i}", data=text).ref
        cells.attrs["MATLAB_class"] = np.bytes_("cell")
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(116) + b" " * 8 + b"\x00\x02IM")
    nyu_splits(root / "splits.mat")
    nyu_mapping(root / "classMapping40.mat")
    return images, labels, instances


def nyu_splits(path):
    split = {"trainNdxs": np.array([[2], [3], [5]], float), "testNdxs": np.array([[1], [4]], float)}
    scipy.io.savemat(path, split)


def nyu_mapping(path):
    names = np.empty((1, len(NYU_40)), object)
    names[0] = NYU_40
    scipy.io.savemat(path, {"mapClass": np.array([NYU_MAP], float), "className": names})


ADE_INFO = (
    "Idx\tRatio\tTrain\tVal\tName\n1\t0.1576\t11664\t1172\twall\n"
    "2\t0.1072\t6046\t612\tbuilding, edifice\n8 \t0.0231\t1906\t199\tbed \n"
    "150\t0.0002\t421\t56\tflag\n"
)


def ade20k(root):
    """Write the files; return the label map of the validation scene and the bytes of its photo."""
    base = root / "ADEChallengeData2016"
    for split, number in (("training", "train_00000001"), ("validation", "val_00000001")):
        jpeg = photo(base / "images" / split / f"ADE_{number}.jpg")
        label = RNG.choice(np.array([0, 1, 2, 8, 150], np.uint8), (8, 12))
        png(base / "annotations" / split / f"ADE_{number}.png", label)
    (base / "objectInfo150.txt").write_text(ADE_INFO)
    return label, jpeg


def ade20k_full(root):
    """Write the files; return the validation scene's name indices and its instances."""
    for split, name in (("training/a/abbey", "train_1"), ("validation/b/beach", "val_1")):
        folder = root / "ADE20K_2016_07_26" / "images" / split
        photo(folder / f"ADE_{name}.jpg")
        index = RNG.choice(np.array([0, 312, 2978, 165, 400]), (8, 12))
        instance = RNG.integers(0, 3, (8, 12))
        colours = np.stack([index // 256 * 10, index % 256, instance * 50], -1)
        png(folder / f"ADE_{name}_seg.png", colours.astype(np.uint8))
        png(folder / f"ADE_{name}_parts_1.png", colours.astype(np.uint8))
    (root / "mapFromADE.txt").write_text("1\t2978\t\n2\t312\t   \n8      165\n")
    (root / "object150_info.csv").write_text(
        "Idx,Ratio,Train,Val,Stuff,Name\n1,0.1576,11664,1172,1,wall\n"
        "2,0.1072,6046,612,1,building;edifice\n8,0.0231,1906,199,0,bed\n"
    )
    return index, instance


def helen(root):
    """Write the files; return the masks of the only test face, [11,H,W]."""
    base = root / "SmithCVPR2013_dataset_resized"
    lists = {"exemplars": ["232194_1", "100032540_1"], "tuning": ["7_2"], "testing": ["99_1"]}
    for listing, names in lists.items():
        lines = [f"{i} , {name}" for i, name in enumerate(names, 1)]
        base.mkdir(parents=True, exist_ok=True)
        (base / f"{listing}.txt").write_text("\n".join(lines) + "\n\n")
        for name in names:
            photo(base / "images" / f"{name}.jpg")
            masks = RNG.integers(0, 256, (11, 8, 12), dtype=np.uint8)
            for part, mask in enumerate(masks):
                png(base / "labels" / name / f"{name}_lbl{part:02d}.png", mask)
    return masks


COCO_CATEGORIES = [
    {"supercategory": "person", "color": [220, 20, 60], "isthing": 1, "id": 1, "name": "person"},
    {
        "supercategory": "textile",
        "color": [255, 255, 128],
        "isthing": 0,
        "id": 92,
        "name": "banner",
    },
    {
        "supercategory": "rock",
        "color": [64, 170, 64],
        "isthing": 0,
        "id": 200,
        "name": "rug-merged",
    },
]


def coco_panoptic(root):
    """Write two persons, a crowd, a rug and void in columns of two pixels."""
    ids = {3226956: 1, 65537: 1, 7: 1, 16777215: 200}
    for split in ("train2017", "val2017"):
        photo(root / split / "000000000139.jpg")
        pixels = np.repeat([[3226956, 65537, 7, 16777215, 0, 0]], 8, 0).repeat(2, 1)
        colours = np.stack([pixels % 256, pixels // 256 % 256, pixels // 256**2], -1)
        png(
            root / "annotations" / f"panoptic_{split}" / "000000000139.png",
            colours.astype(np.uint8),
        )
        segments = [
            {"id": i, "category_id": c, "iscrowd": int(i == 7), "bbox": [0, 0, 1, 1], "area": 16}
            for i, c in ids.items()
        ]
        content = {
            "info": {}, "licenses": [], "categories": COCO_CATEGORIES,
            "images": [{"id": 139, "file_name": "000000000139.jpg", "height": 8, "width": 12}],
            "annotations": [
                {"image_id": 139, "file_name": "000000000139.png", "segments_info": segments}
            ],
        }  # fmt: skip
        (root / "annotations" / f"panoptic_{split}.json").write_text(json.dumps(content))


def coco_stuff(root):
    """Write the files; return the values of the last palette PNG."""
    for split in ("train2017", "val2017"):
        photo(root / "images" / split / "000000000139.jpg")
        label = RNG.choice(np.array([0, 91, 181, 255], np.uint8), (8, 12))
        png(root / "stuffthingmaps" / split / "000000000139.png", label, palette=True)
    lines = ["0: unlabeled", "1: person", "92: banner", "182: wood"]
    (root / "labels.txt").write_text("\n".join(lines) + "\n")
    return label


def pairs(root):
    """Write the layout of edges2shoes: grey edges left, a photo right, JPEG."""
    for split, names in (("train", ("1_AB", "2_AB")), ("val", ("1_AB",))):
        for name in names:
            (root / split).mkdir(parents=True, exist_ok=True)
            edges = np.repeat(RNG.integers(0, 2, (16, 16, 1), dtype=np.uint8) * 255, 3, 2)
            shoe = RNG.integers(0, 255, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(np.hstack([edges, shoe])).save(root / split / f"{name}.jpg", quality=90)


def varint(number):
    groups = bytearray()
    while number >= 0x80:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*groups, number])


def sub(number, content):
    """Return a length-delimited field of a protocol buffer."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def caffemodel(path, layers, old=False):
    """Write NetParameter as Caffe does: new `layer` messages, or old V1 `layers` and shapes."""
    content = sub(1, b"FCN")
    for name, blobs in layers.items():
        message = sub(4 if old else 1, name.encode())
        for blob in blobs:
            data = sub(5, struct.pack(f"<{blob.size}f", *blob.ravel()))
            if old:
                four = (1,) * (4 - blob.ndim) + blob.shape
                shape = b"".join(varint(i << 3) + varint(d) for i, d in enumerate(four, 1))
            else:
                shape = sub(7, sub(1, b"".join(map(varint, blob.shape))))
            message += sub(6 if old else 7, shape + data)
        content += sub(2 if old else 100, message)
    path.write_bytes(content)
