"""From a bundle to a board that runs it: build, upload, and a look at what came of it."""
