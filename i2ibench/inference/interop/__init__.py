"""Conversion of official pix2pixHD and pix2pix checkpoints into this project's, and back."""
