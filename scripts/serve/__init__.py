"""One base, many adapters, per request: engines, the HTTP front, the tool executor, the compare page."""
