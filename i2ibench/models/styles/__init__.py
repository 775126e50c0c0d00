"""Appearance styles: what the encoder's numbers look like, class by class."""
