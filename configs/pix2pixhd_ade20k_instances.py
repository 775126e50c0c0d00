"""ADE20K with the full set's instances (`prepare_data ade20k_full SOURCE data/ade20k_full`)."""

_base_ = "pix2pixhd_ade20k.py"

data_root = "{{$ADE20K_FULL_ROOT:data/ade20k_full}}"
data_preprocessor = dict(boundaries=True)
train_dataloader = dict(dataset=dict(instance_dir="{split}/instance"))
val_dataloader = dict(dataset=dict(instance_dir="{split}/instance"))
