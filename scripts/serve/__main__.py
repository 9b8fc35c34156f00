"""Serves one base with all its adapters and stacks, as OpenAI's chat completions.

Run as: make serve [BASE=…] [HOST=127.0.0.1] [PORT=8000] [SLOTS=8] [CONTEXT=2048] [LIMITS=…] / python -m scripts.serve
API_KEY or API_KEY_FILE in the environment sets a key; without one only loopback is listened on.
On a CUDA machine vLLM is started instead (ENGINE=llamacpp keeps llama.cpp); ENGINE=vllm PRINT=1 shows its command.
"""

import os
from collections.abc import Sequence

from scripts import arguments
from scripts.config import profile
from scripts.errors import UserError, main_of
from scripts.run import ready
from scripts.serve import catalog, vllm
from scripts.serve.engine import Size
from scripts.serve.front import Settings, application


def main(argv: Sequence[str]) -> None:
    """Starts the engine that this machine has, and serves until it is stopped."""
    options = parsed(argv)
    found = catalog.of(ready.runs_of(options.base))
    for reason in found.left_out:
        print(f"not served: {reason}", flush=True)
    engine = options.engine or ("vllm" if profile.cuda() else "llamacpp")
    if engine not in ("vllm", "llamacpp"):
        raise UserError(f"there is no engine {engine!r}; there are: llamacpp, vllm")
    from scripts.serve import start

    settings = Settings(options.host, options.port, start.key_from_environment())
    if engine == "vllm":
        if options.limits or options.backend:
            raise UserError("LIMITS and BACKEND are not vLLM's", next="leave them out, or ENGINE=llamacpp")
        sizes = {"max-model-len": options.context, "max-num-seqs": options.slots}
        return vllm.launch(vllm.command(found, settings, sizes), settings.key, show=arguments.flag(options.print))
    served(found, settings, options)
    return None


def parsed(argv: Sequence[str], doc: str = __doc__ or ""):
    """The options of serve and compare."""
    parser = arguments.parser(doc)
    arguments.add(parser, "BASE", "a folder of outputs/ (default: the embedded base without CUDA)")
    arguments.add(parser, "HOST", "address to listen on", "127.0.0.1")
    arguments.add(parser, "PORT", "port to listen on", "8000")
    arguments.add(parser, "SLOTS", f"answers at once (default: {Size.slots}; vLLM's own)")
    arguments.add(parser, "CONTEXT", f"tokens of prompt and answer (default: {Size.context} a slot; vLLM: the base's)")
    arguments.add(parser, "THREADS", "CPU threads (default: all cores)", str(os.cpu_count() or 1))
    arguments.add(parser, "LIMITS", "name=number,…: how much is answered and consulted, see docs/serving.md")
    arguments.add(parser, "ENGINE", "llamacpp or vllm")
    arguments.add(parser, "BACKEND", "module:callable that makes what tools consult (default: sample people)")
    arguments.add(parser, "PRINT", "1 shows vLLM's command and starts nothing")
    options = parser.parse_args(argv)
    for name, most in (("port", 65_535), ("slots", 256), ("context", 2**20), ("threads", 1024)):
        text = getattr(options, name)
        setattr(options, name, arguments.number(name.upper(), text, 1, most) if text else 0)
    return options


def served(found: catalog.Catalog, settings: Settings, options, extend=lambda app: None) -> None:
    """Loads the engine and answers until stopped; `extend` may add routes."""
    from scripts.serve import start

    settings, limits = start.limited(settings, options.limits)
    size = Size(options.slots or Size.slots, options.context or Size.context, options.threads)
    app = application(start.service(found, size, start.backend(options.backend), limits), settings)
    extend(app)
    shown = f"[{settings.host}]" if ":" in settings.host else settings.host
    print(f"serving {', '.join(found.names)} on http://{shown}:{settings.port} (Ctrl-C stops)", flush=True)
    start.run(app, settings)


if __name__ == "__main__":
    main_of(main)
