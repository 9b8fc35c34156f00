"""One verb a file; what verbs share lives in the packages beside them. Run as: python -m scripts.<verb>."""
