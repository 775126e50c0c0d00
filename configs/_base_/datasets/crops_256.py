"""Prepared scenes at 256x256, labels and instances: crops of 286x286 to train on."""

data_preprocessor = dict(type="LabelPreprocessor")
_load = dict(type="Resize", width=286, height=286)
_crop = dict(type="RandomCrop", width=256, height=256)
_size = dict(type="Resize", width=256, height=256)
train_dataloader = dict(
    dataset=dict(
        type="PairedFolder", split="train", transforms=[_load, _crop, dict(type="RandomFlip")]
    ),
    batch_size=1,
    num_workers=4,
)
val_dataloader = dict(
    dataset=dict(type="PairedFolder", split="val", transforms=[_size]), batch_size=4, num_workers=2
)
