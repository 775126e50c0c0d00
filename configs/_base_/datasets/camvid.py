"""CamVid in SegNet's layout (train/, trainannot/, val/, valannot/): 11 classes and void."""

_classes = [
    dict(name="sky", colour=(128, 128, 128)),
    dict(name="building", colour=(128, 0, 0)),
    dict(name="pole", colour=(192, 192, 128)),
    dict(name="road", colour=(128, 64, 128)),
    dict(name="pavement", colour=(60, 40, 222)),
    dict(name="tree", colour=(128, 128, 0)),
    dict(name="sign", colour=(192, 128, 128)),
    dict(name="fence", colour=(64, 64, 128)),
    dict(name="car", colour=(64, 0, 128)),
    dict(name="pedestrian", colour=(64, 64, 0)),
    dict(name="bicyclist", colour=(0, 128, 192)),
    dict(name="void", colour=(0, 0, 0), scored=False),
]
_camvid = dict(
    type="PairedFolder",
    label_dir="{split}annot",
    image_dir="{split}",
    instance_dir=None,
    classes=_classes,
)
_size = dict(type="Resize", width=256, height=192)

data_root = "{{$CAMVID_ROOT:data/camvid}}"
data_preprocessor = dict(type="LabelPreprocessor", boundaries=False)
train_dataloader = dict(
    dataset=dict(**_camvid, split="train", transforms=[_size, dict(type="RandomFlip")]),
    batch_size=1,
    num_workers=2,
)
val_dataloader = dict(
    dataset=dict(**_camvid, split="val", transforms=[_size]), batch_size=4, num_workers=2
)
evaluator = dict(
    segmentation=dict(
        type="SegmentationScores",
        segmenter=dict(type="CompactSegmenter", weights="weights/segmenter_camvid.pth"),
    ),
    fid=dict(type="FrechetInceptionDistance"),
    lpips=dict(type="PerceptualDistance"),
)
