"""Sweeps in MLflow and Parquet; only this folder imports them."""
