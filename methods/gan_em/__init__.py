"""GAN-EM (Zhao et al., 2018): losses, nets, the two steps, presets, the estimator on top."""
