"""The human perceptual study: which of two pictures people find more realistic (Sec. 4.2)."""
