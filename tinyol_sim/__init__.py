"""The twin: the board's own C++ on this machine, and everything that needs no board."""
