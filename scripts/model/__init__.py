"""The base and what runs on it: preparation, chat templates, tool calls, generation, LoRA arithmetic."""
