"""GANMM (Yu and Zhou, 2018): K WGANs and the classifier of the epsilon-E-step."""
