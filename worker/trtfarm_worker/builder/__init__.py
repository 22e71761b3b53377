"""The supervisor of builder processes: one native step each, killed and explained when it goes wrong."""
