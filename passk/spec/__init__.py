"""Experiment specs: schema, loading, checks."""
