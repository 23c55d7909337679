"""Counts, scores and labels of a study become tidy tables."""
