"""The steps of training: windows, projection, autoencoder, scores."""
