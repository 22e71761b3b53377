"""Finding what the farm keeps."""
