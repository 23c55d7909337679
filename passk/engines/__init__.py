"""Engines draw responses from a model and score responses under it."""
