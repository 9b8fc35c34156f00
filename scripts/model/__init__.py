"""The base and what runs on it: preparation, chat templates, tool calls, generation, LoRA arithmetic."""

import logging

# Libraries below transformers announce at every import which GPU kernels they could not load. On a CPU that is
# no news, and it would bury our own lines. Errors still show.
for _name in ("torchao", "torch.utils._pytree", "bitsandbytes", "bitsandbytes.backends.cpu.ops"):
    logging.getLogger(_name).setLevel(logging.ERROR)
