"""MLflow and Parquet: only this folder knows them."""
