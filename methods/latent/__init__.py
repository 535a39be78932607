"""GANs whose noise is a Gaussian mixture: responsibility GAN, GM-GAN, vanilla GAN."""
