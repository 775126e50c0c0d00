"""The same with limited time (the paper's Fig. 7): pairs for 1/8 to 8 seconds."""

_base_ = "methods_toystreet.py"
durations = [1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8]
pairs = [("pix2pixHD", "pix2pix"), ("pix2pixHD", "CRN"), ("photos", "pix2pixHD")]
per_pair = 5
