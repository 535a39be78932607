"""How it is shown: tables from records alone, for the terminal, a paper, a program."""
