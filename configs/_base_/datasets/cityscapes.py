"""Cityscapes at its full 2048x1024."""

data_root = "{{$CITYSCAPES_ROOT:data/cityscapes}}"
data_preprocessor = dict(type="LabelPreprocessor")
train_dataloader = dict(
    dataset=dict(type="Cityscapes", split="train", transforms=[dict(type="RandomFlip")]),
    batch_size=1,
    num_workers=4,
)
val_dataloader = dict(dataset=dict(type="Cityscapes", split="val"), batch_size=1, num_workers=2)
protocol = dict(type="cityscapes")
