"""The report: figures from frames, and one HTML page that needs nothing else."""
