"""Who may teach a board: its key, what is derived from it, where this computer keeps it."""
