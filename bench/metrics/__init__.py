"""What is measured of a training, once for all rooms: column names, measures, objectives."""
