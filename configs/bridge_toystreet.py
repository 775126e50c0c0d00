"""A Brownian bridge from class colours to photos (BBDM) on ToyStreet; the rest is the flow."""

_base_ = "flow_toystreet.py"

model = dict(source="bridge")
