"""Gates, networks, losses, initial weights, trials and their outcomes as plain data, which needs NumPy only."""
