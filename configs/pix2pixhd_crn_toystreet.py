"""Generator ablation: CRN's network inside pix2pixHD's losses, on the same condition."""

_base_ = "pix2pixhd_toystreet.py"

model = dict(generator=dict(_delete_=True, type="CRNGenerator", height=128, max_channels=64))
