"""Generator ablation: pix2pix's U-Net inside pix2pixHD's losses, on the same condition."""

_base_ = "pix2pixhd_toystreet.py"

model = dict(
    generator=dict(
        _delete_=True, type="UNetGenerator", num_levels=7, base_channels=16, norm_type="instance"
    )
)
