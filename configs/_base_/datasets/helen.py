"""Helen's eleven face parts at 512x512; face parts have no instances.

Made by `prepare_data helen SOURCE data/helen`.
"""

data_root = "{{$HELEN_ROOT:data/helen}}"
data_preprocessor = dict(type="LabelPreprocessor", boundaries=False)
_size = dict(type="Resize", width=512, height=512)
train_dataloader = dict(
    dataset=dict(type="PairedFolder", split="train", instance_dir=None, transforms=[_size]),
    batch_size=1,
    num_workers=2,
)
val_dataloader = dict(
    dataset=dict(type="PairedFolder", split="val", instance_dir=None, transforms=[_size]),
    batch_size=4,
    num_workers=2,
)
protocol = dict(type="own", segmenter=dict(type="CompactSegmenter", weights="weights/helen.pth"))
