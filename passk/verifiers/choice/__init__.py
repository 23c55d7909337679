"""Multiple-choice and short answers."""
