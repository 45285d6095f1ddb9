"""What the notebooks share: recordings, figures, lessons, costs."""
