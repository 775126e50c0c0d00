"""CamVid at 256x192: labels only, since it has no instance maps."""

_size = dict(type="Resize", width=256, height=192)

data_root = "{{$CAMVID_ROOT:data/camvid}}"
data_preprocessor = dict(type="LabelPreprocessor", boundaries=False)
train_dataloader = dict(
    dataset=dict(type="CamVid", split="train", transforms=[_size, dict(type="RandomFlip")]),
    batch_size=1,
    num_workers=2,
)
val_dataloader = dict(
    dataset=dict(type="CamVid", split="val", transforms=[_size]), batch_size=4, num_workers=2
)
protocol = dict(type="camvid", width=256, height=192)
