"""What a replay shows: scores, tables, plots, the HTML report."""
