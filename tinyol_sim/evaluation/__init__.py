"""What the system shows on a machine's recordings: `tinyol evaluate` (docs/evaluation.md)."""
