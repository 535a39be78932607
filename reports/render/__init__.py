"""One table for the terminal, for LaTeX, as CSV and JSON, and for a page."""
