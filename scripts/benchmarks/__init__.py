"""What `make bench` measures: the machine, training, evaluation, checking, and the production sizes on a GPU."""
