"""Mathematical answers: read, compared and graded."""
