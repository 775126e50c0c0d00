"""Which images look more real? After configs/grids/methods_toystreet.py and its report."""

title = "Street scenes"
methods = dict(
    pix2pixHD=dict(checkpoint="work_dirs/methods_toystreet/method=pix2pixhd,seed=0"),
    pix2pix=dict(checkpoint="work_dirs/methods_toystreet/method=pix2pix,seed=0"),
    CRN=dict(checkpoint="work_dirs/methods_toystreet/method=crn,seed=0"),
    photos=dict(photos=True),
)
scenes = dict(folder="data/toystreet/gtFine/test", number=40)
per_pair = 8
participants = 40
width = 512
