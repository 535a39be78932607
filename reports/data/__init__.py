"""What reports are made from: a frame of all runs, arranged in blocks of comparable rows."""
