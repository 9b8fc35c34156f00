"""What `make bench` measures: the machine, training, evaluation, checking, and the production sizes on a GPU."""

import scripts.model  # noqa: F401  keeps quiet what libraries announce when they are imported
