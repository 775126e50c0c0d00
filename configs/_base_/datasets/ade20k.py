"""ADE20K's 150 classes at 256x256, without instances: crops of 286x286 to train on.

Made by `prepare_data ade20k SOURCE data/ade20k`.
"""

_base_ = "crops_256_labels.py"

data_root = "{{$ADE20K_ROOT:data/ade20k}}"
protocol = dict(type="own", segmenter=dict(type="CompactSegmenter", weights="weights/ade20k.pth"))
