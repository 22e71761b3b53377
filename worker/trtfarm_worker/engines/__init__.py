"""Running engines on this host's GPU: only what a trusted key signed, in the toolchain that built it."""
