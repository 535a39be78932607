"""What is measured side by side: a reference and the fast path, in one command."""
