"""ToyStreet: 256x128 street scenes, drawn on first use."""

data_root = "data/toystreet"
data_preprocessor = dict(type="LabelPreprocessor")
train_dataloader = dict(
    dataset=dict(
        type="ToyStreet", split="train", num_scenes=250, transforms=[dict(type="RandomFlip")]
    ),
    batch_size=1,
)
val_dataloader = dict(dataset=dict(type="ToyStreet", split="val", num_scenes=24), batch_size=4)
protocol = dict(type="toystreet")
