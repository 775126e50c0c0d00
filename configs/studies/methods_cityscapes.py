"""The paper's Table 2: unlimited time, 5,000 judgments of each pair on 500 scenes."""

title = "Street scenes"
methods = {
    "Ours": dict(checkpoint="work_dirs/pix2pixhd_cityscapes", size=(2048, 1024)),
    "Ours (w/o VGG)": dict(checkpoint="work_dirs/pix2pixhd_cityscapes_without_vgg"),
    "pix2pix": dict(checkpoint="work_dirs/pix2pix_cityscapes", size=(512, 256)),
    "CRN": dict(checkpoint="work_dirs/crn_cityscapes", size=(1024, 512)),
}
pairs = [
    ("Ours", "pix2pix"), ("Ours", "CRN"),
    ("Ours (w/o VGG)", "pix2pix"), ("Ours (w/o VGG)", "CRN"),
]  # fmt: skip
scenes = dict(folder="data/cityscapes/gtFine/val")
size = (1024, 512)
width = 640
per_pair = 25
participants = 200
