"""One run under outputs/<base>/<adapter>/: its manifest, its lock, the launch and the progress line."""
