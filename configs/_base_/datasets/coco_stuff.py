"""COCO-Stuff at 256x256, without instances: crops of 286x286 to train on.

Made by `prepare_data coco_stuff SOURCE data/coco_stuff`.
"""

data_root = "{{$COCO_STUFF_ROOT:data/coco_stuff}}"
data_preprocessor = dict(type="LabelPreprocessor", boundaries=False)
_load = dict(type="Resize", width=286, height=286)
_crop = dict(type="RandomCrop", width=256, height=256)
_size = dict(type="Resize", width=256, height=256)
train_dataloader = dict(
    dataset=dict(
        type="PairedFolder",
        split="train",
        instance_dir=None,
        transforms=[_load, _crop, dict(type="RandomFlip")],
    ),
    batch_size=1,
    num_workers=4,
)
val_dataloader = dict(
    dataset=dict(type="PairedFolder", split="val", instance_dir=None, transforms=[_size]),
    batch_size=4,
    num_workers=2,
)
protocol = dict(
    type="own", segmenter=dict(type="CompactSegmenter", weights="weights/coco_stuff.pth")
)
