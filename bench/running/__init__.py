"""Running: cuts a plan into chunks, has them trained, and writes what became of every training."""
