"""What the API answers, a module for each thing it is asked about."""
