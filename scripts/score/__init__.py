"""From answers to decisions: metrics, intervals, gates and reports."""
