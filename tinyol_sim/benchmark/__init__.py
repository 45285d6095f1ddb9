"""The same jobs done by the twin and by its peers, timed side by side: `tinyol bench`."""
