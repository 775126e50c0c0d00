"""Edges as the condition, no labels, at 256x256: any data with sources.

Made by `prepare_data pairs SOURCE data/edges2photo`, or from photos by `prepare_data edges`.
"""

data_root = "{{$EDGES2PHOTO_ROOT:data/edges2photo}}"
data_preprocessor = dict(type="ImagePreprocessor")
_size = dict(type="Resize", width=256, height=256)
_folders = dict(label_dir=None, instance_dir=None, source_dir="{split}/source")
train_dataloader = dict(
    dataset=dict(
        type="PairedFolder", split="train", transforms=[_size, dict(type="RandomFlip")], **_folders
    ),
    batch_size=1,
    num_workers=2,
)
val_dataloader = dict(
    dataset=dict(type="PairedFolder", split="val", transforms=[_size], **_folders),
    batch_size=4,
    num_workers=2,
)
protocol = dict(type="own")
