"""YAML as code: find it, read it with its positions, check it, resolve it with a profile."""
