"""Figures: frame in, figure out, one panel each. No figure reads a file or changes a global style."""
