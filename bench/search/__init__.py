"""Searching: Optuna, ask and tell."""
