"""Rows and where they come from: recipes, databases, indicators, imports; and the gates they pass."""
