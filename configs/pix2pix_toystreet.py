"""pix2pix on ToyStreet at 256x128, at a quarter of its width."""

_base_ = [
    "_base_/systems/pix2pix.py",
    "_base_/datasets/toystreet.py",
    "_base_/schedules/gan_short.py",
    "_base_/runtime.py",
]

model = dict(generator=dict(num_levels=7, base_channels=16), discriminator=dict(base_channels=16))
val_dataloader = dict(batch_size=1)  # batch statistics of one scene at a time, as in the paper
