"""What a replay is summed up in while it runs, in memory that does not grow with its windows."""
