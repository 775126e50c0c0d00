"""ControlNet over a Stable Diffusion on Cityscapes at 512x256, 20 steps for an image.

$STABLE_DIFFUSION_ROOT names the folder of the Stable Diffusion (docs/controlnet.md).
"""

_base_ = [
    "_base_/datasets/cityscapes.py",
    "_base_/runtime.py",
]

model = dict(
    type="ControlNetTranslator",
    folder="{{$STABLE_DIFFUSION_ROOT:data/stable_diffusion}}",
    prompt="a photo of a street",
)
_size = dict(type="Resize", width=512, height=256)
train_dataloader = dict(dataset=dict(transforms=[_size, dict(type="RandomFlip")]), batch_size=4)
val_dataloader = dict(dataset=dict(transforms=[_size]), batch_size=4)
protocol = dict(width=512, height=256)
optimizers = dict(controlnet=dict(type="AdamW", lr=1e-5, clip_grad=dict(max_norm=1.0)))
train_cfg = dict(max_epochs=50, val_interval=10)
