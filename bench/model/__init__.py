"""Plain data: gates, networks, losses, initial weights, trials and what became of them. NumPy only."""
