"""Models: networks, losses and the translators that put them together."""
