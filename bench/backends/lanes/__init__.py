"""Compiled kernels: trainings side by side, each in its own SIMD lane. Numba is imported in this folder only."""
