"""Is this board its twin? A package, so that the board is closed behind the last of its tests."""
