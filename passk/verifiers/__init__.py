"""Verifiers say whether a response answers its problem."""
