"""COCO-Stuff at 256x256, without instances: crops of 286x286 to train on.

Made by `prepare_data coco_stuff SOURCE data/coco_stuff`.
"""

_base_ = "crops_256_labels.py"

data_root = "{{$COCO_STUFF_ROOT:data/coco_stuff}}"
protocol = dict(
    type="own", segmenter=dict(type="CompactSegmenter", weights="weights/coco_stuff.pth")
)
