"""Images, decoded where a bug in a decoder harms nobody else."""
