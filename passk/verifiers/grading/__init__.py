"""Grading of many responses: worker pool, deduplication, JSONL files."""
