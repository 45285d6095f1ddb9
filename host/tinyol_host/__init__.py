"""What a person drives a board with: the command line and, under it, the client."""
