"""The figures of a report, drawn from the same blocks as its tables."""
