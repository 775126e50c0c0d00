"""Analyse answers: judgments, exclusion, statistics and simulation."""
