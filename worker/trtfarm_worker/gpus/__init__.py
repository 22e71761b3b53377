"""The GPUs of this host: which there are, whether they are well, and whose turn each is."""
