"""How cells are run: in processes of their own, through joblib, on the GPUs there are."""
