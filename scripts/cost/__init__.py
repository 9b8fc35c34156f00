"""What a training will do, reckoned before it runs: tokens, steps, parameters, memory, hours. No torch."""
