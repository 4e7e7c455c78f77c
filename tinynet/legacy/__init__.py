"""Names that older scripts use."""
