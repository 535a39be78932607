"""Parts that several methods share: networks, ensembles, regularisation, optimisers."""
