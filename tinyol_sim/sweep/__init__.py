"""A grid of settings x models x recordings, each through a twin of its own: `tinyol sweep`."""
