"""Compiled kernels that train networks side by side, each in its own SIMD lane; only this folder imports Numba."""
