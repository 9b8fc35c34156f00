"""Ollama's Modelfile for a base and a LoRA, both as GGUF, with our chat template in Go's template language.

Go's templates can't split special tokens in what users write, as ours do: whoever lets strangers talk to Ollama
puts a filter before it. `make serve` needs none.
"""

_GO = {
    "<|im_end|>": """{{- range $index, $message := .Messages }}
{{- if eq .Role "tool" }}<|im_start|>user
<tool_response>
{{ .Content }}
</tool_response><|im_end|>
{{ else }}<|im_start|>{{ .Role }}
{{ .Content }}{{- range $at, $call := .ToolCalls }}{{ if or $at $message.Content }}
{{ end }}<tool_call>
{"name": "{{ .Function.Name }}", "arguments": {{ .Function.Arguments }}}
</tool_call>{{ end }}<|im_end|>
{{ end }}{{ end }}<|im_start|>assistant
""",
    "<|eot_id|>": """{{- range $index, $message := .Messages }}
{{- if eq .Role "tool" }}<|start_header_id|>user<|end_header_id|>

<tool_response>
{{ .Content }}
</tool_response><|eot_id|>
{{- else }}<|start_header_id|>{{ .Role }}<|end_header_id|>

{{ .Content }}{{- range $at, $call := .ToolCalls }}{{ if or $at $message.Content }}
{{ end }}<tool_call>
{"name": "{{ .Function.Name }}", "arguments": {{ .Function.Arguments }}}
</tool_call>{{ end }}<|eot_id|>
{{- end }}{{ end }}<|start_header_id|>assistant<|end_header_id|>

""",
}


def modelfile(base: str, adapter: str, end: str, context: int) -> str:
    """The text; `base` and `adapter` are GGUF files beside it, `end` the token that ends a turn."""
    if end not in _GO:
        raise ValueError(f"no Go template for turns that end with {end}")
    lines = [f"FROM ./{base}", f"ADAPTER ./{adapter}"] if adapter else [f"FROM ./{base}"]
    lines += [f'TEMPLATE """{_GO[end]}"""', f'PARAMETER stop "{end}"', "PARAMETER temperature 0"]
    return "\n".join([*lines, f"PARAMETER num_ctx {context}"]) + "\n"
