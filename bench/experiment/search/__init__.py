"""What a search may ask: its space, its objectives and limits, its budget; and what it has proposed so far."""
