"""NYU Depth v2 at 576x416, near its 561x427; validated at its own size on the official test set.

Made by `prepare_data nyuv2 SOURCE data/nyuv2`.
"""

data_root = "{{$NYUV2_ROOT:data/nyuv2}}"
data_preprocessor = dict(type="LabelPreprocessor")
_size = dict(type="RoundToMultiple", base=32)
train_dataloader = dict(
    dataset=dict(type="PairedFolder", split="train", transforms=[_size, dict(type="RandomFlip")]),
    batch_size=1,
    num_workers=2,
)
val_dataloader = dict(dataset=dict(type="PairedFolder", split="test"), batch_size=1, num_workers=2)
protocol = dict(type="own", segmenter=dict(type="CompactSegmenter", weights="weights/nyuv2.pth"))
