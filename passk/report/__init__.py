"""The report of a study: findings, figures and the page."""
