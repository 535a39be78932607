"""What is run: suite files turned into cells, cells into records, and the gate over them."""
