"""Reading: frame in, frame out. Statistics are functions of frames, with the formula's name in theirs."""
