"""Reading and writing: whole files, progress, provenance, checksums and pretrained weights."""
