"""COCO's panoptic maps, 133 classes with instances, at 256x256: crops of 286x286 to train on.

Made by `prepare_data coco_panoptic SOURCE data/coco_panoptic`.
"""

_base_ = "crops_256.py"

data_root = "{{$COCO_PANOPTIC_ROOT:data/coco_panoptic}}"
protocol = dict(
    type="own", segmenter=dict(type="CompactSegmenter", weights="weights/coco_panoptic.pth")
)
