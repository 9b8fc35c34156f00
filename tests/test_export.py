"""Exports say what the adapter says: GGUF against PEFT on a toy base, Ollama's template, vLLM's folder."""

import json
import re

import gguf
import jinja2
import numpy as np
import pytest
import yaml
from toybase import write_adapter

from scripts import export
from scripts.errors import UserError
from scripts.model import gguf as lora_gguf
from scripts.model.modelfile import modelfile
from scripts.paths import TEMPLATES
from scripts.serve import catalog, vllm
from scripts.serve.front import Settings


@pytest.fixture
def exported(runs, monkeypatch, capsys):
    monkeypatch.setattr(export.ready, "runs_of", lambda base="", profile="": runs)

    def run(adapter, form, check="0"):
        export.main(["--adapter", adapter, "--format", form, "--check", check])
        return capsys.readouterr().out

    return run


@pytest.mark.parametrize("form,least", [("gguf", 99), ("merged-gguf", 95)])  # merged weights are rounded to float16
def test_an_export_answers_as_peft_does(exported, form, least):
    pytest.importorskip("peft")
    said = exported("schema", form, check="1")
    share = float(re.search(r"([\d.]+)% of \d+ greedy tokens are PEFT's", said)[1])
    assert share >= least and "next: llama-server" in said


def test_a_lora_of_the_base_itself_is_not_taken_for_the_adapter(runs, exported):
    """The comparison can fail: another adapter's GGUF does not pass for this one."""
    pytest.importorskip("peft")
    from scripts.serve.agreement import agreement

    exported("kpi", "gguf")
    other = runs / "kpi" / "export" / "kpi-lora.gguf"
    assert agreement(catalog.of(runs), runs / "schema", other, merged=False, length=8).tokens < 0.9


def test_ollama_gets_a_folder_with_everything_beside_its_modelfile(runs, exported):
    assert "ollama create unimed-attendant" in exported("unimed", "ollama")
    folder = runs / "unimed-attendant" / "export" / "ollama"
    assert {path.name for path in folder.iterdir()} == {"Modelfile", "adapter.gguf", "base.gguf"}
    text = (folder / "Modelfile").read_text()
    assert text.startswith("FROM ./base.gguf\nADAPTER ./adapter.gguf\n") and 'PARAMETER stop "<|im_end|>"' in text


GO = """package main
import ("bytes"; "encoding/json"; "fmt"; "os"; "text/template")
type args map[string]any
func (a args) String() string { b, _ := json.Marshal(map[string]any(a)); return string(b) }
func main() {
  var in struct{ Template string; Messages []struct { Role, Content string
    ToolCalls []struct{ Function struct { Name string; Arguments args } } } }
  if err := json.NewDecoder(os.Stdin).Decode(&in); err != nil { panic(err) }
  var out bytes.Buffer
  if err := template.Must(template.New("t").Parse(in.Template)).Execute(&out, in); err != nil { panic(err) }
  fmt.Print(out.String())
}
"""
CALL = {"function": {"name": "unimed_consult", "arguments": {"cpf": "12345678901"}}}
CONVERSATION = [
    {"role": "system", "content": "Responda curto."},
    {"role": "user", "content": "oi"},
    {"role": "assistant", "content": "Olá!"},
    {"role": "user", "content": "meu cpf é 12345678901"},
    {"role": "assistant", "content": "", "tool_calls": [CALL]},
    {"role": "tool", "content": '{"encontrado": true}'},
    {"role": "assistant", "content": "Um momento.", "tool_calls": [CALL, CALL]},
    {"role": "tool", "content": "{}"},
]


@pytest.mark.parametrize("name,end", [("chatml", "<|im_end|>"), ("llama3", "<|eot_id|>")])
def test_ollamas_template_renders_what_ours_renders(name, end, tmp_path):
    import shutil
    import subprocess

    if not shutil.which("go"):
        pytest.skip("no Go here to run Ollama's template language")
    template = re.search(r'TEMPLATE """(.*?)"""', modelfile("b", "a", end, 8), re.S)[1]
    (tmp_path / "main.go").write_text(GO)
    messages = [
        {
            "Role": m["role"],
            "Content": m["content"],
            "ToolCalls": [{"Function": c["function"]} for c in m.get("tool_calls", [])],
        }
        for m in CONVERSATION
    ]
    given = json.dumps({"Template": template, "Messages": messages})
    done = subprocess.run(
        ["go", "run", "main.go"], cwd=tmp_path, input=given, capture_output=True, text=True, check=True
    )
    ours = jinja2.Environment().from_string((TEMPLATES / f"{name}.jinja").read_text())
    texts = [
        {
            **m,
            "tool_calls": [
                {"function": {**c["function"], "arguments": '{"cpf":"12345678901"}'}} for c in m.get("tool_calls", [])
            ],
        }
        for m in CONVERSATION
    ]
    assert done.stdout == ours.render(messages=texts, bos_token="", add_generation_prompt=True)


def test_vllm_gets_its_folder_and_its_configuration(runs, exported):
    said = exported("kpi", "vllm")
    folder = runs / "kpi" / "export" / "vllm"
    values = yaml.safe_load((folder / "vllm.yml").read_text())
    assert values["lora-modules"] == ["kpi=."] and values["max-lora-rank"] == 16 and "vllm serve" in said
    assert (folder / values["chat-template"]).read_bytes() == (runs / "base" / "chat_template.jinja").read_bytes()
    assert (folder / "adapter_model.safetensors").read_bytes() == (
        runs / "kpi" / "adapter_model.safetensors"
    ).read_bytes()


def test_vllm_serves_every_adapter_with_the_greatest_rank_and_the_parser_of_our_calls(runs):
    values = vllm.configuration(catalog.of(runs), Settings(port=9000))
    assert values["max-lora-rank"] == 32 and values["max-loras"] == 3 and values["port"] == 9000
    assert [each.split("=")[0] for each in values["lora-modules"]] == ["kpi", "schema", "unimed-attendant"]
    assert values["tool-call-parser"] == "hermes" and values["enable-auto-tool-choice"] and values["enable-lora"]
    line = vllm.command(catalog.of(runs), Settings(), {"max-model-len": 4096, "max-num-seqs": 0})
    written = yaml.safe_load((runs / "vllm.yml").read_text())
    assert line[:2] == ["vllm", "serve"] and written["served-model-name"] == "base"
    assert written["max-model-len"] == 4096 and "max-num-seqs" not in written  # 0: vLLM's own


def test_vllms_ranks_are_rounded_up_and_have_an_end(runs, tmp_path):
    base = runs / "base"
    folder = write_adapter(tmp_path / "odd", base, 9, rank=4)
    config = json.loads((folder / "adapter_config.json").read_text())
    for rank, expected in ((4, 8), (33, 64), (512, 512)):
        (folder / "adapter_config.json").write_text(json.dumps(config | {"r": rank}))
        assert vllm.configuration(catalog.Catalog(runs, {"odd": folder}), Settings())["max-lora-rank"] == expected
    (folder / "adapter_config.json").write_text(json.dumps(config | {"r": 8, "rank_pattern": {"q_proj": 1024}}))
    with pytest.raises(UserError, match="ranks up to 512; odd has 1024"):
        vllm.configuration(catalog.Catalog(runs, {"odd": folder}), Settings())


@pytest.mark.parametrize(
    "config,message",
    [
        ({"use_dora": True}, "can't carry DoRA"),
        ({"bias": "all"}, "can't carry a bias"),
        ({"modules_to_save": ["lm_head"]}, "can't carry whole modules"),
        ({"rank_pattern": {"q_proj": 4}}, "one alpha and one rank"),
    ],
)
def test_what_gguf_cannot_say_is_refused(runs, tmp_path, config, message):
    adapter = write_adapter(tmp_path / "a", runs / "base", 1, **config)
    with pytest.raises(UserError, match=message):
        lora_gguf.write_adapter(adapter, json.loads((runs / "base" / "config.json").read_text()), tmp_path / "a.gguf")
    assert not (tmp_path / "a.gguf").exists()


def test_rslora_keeps_its_scale(runs, tmp_path):
    config = json.loads((runs / "base" / "config.json").read_text())
    for name, options in (("plain", {}), ("rs", {"use_rslora": True})):
        adapter = write_adapter(tmp_path / name, runs / "base", 1, rank=16, **options)
        lora_gguf.write_adapter(adapter, config, tmp_path / f"{name}.gguf")
    plain, rs = ({t.name: t.data for t in gguf.GGUFReader(tmp_path / f"{n}.gguf").tensors} for n in ("plain", "rs"))
    name = "blk.0.ffn_up.weight.lora_b"
    assert np.allclose(rs[name].astype(np.float32), 4 * plain[name].astype(np.float32), rtol=2e-3)


@pytest.mark.parametrize("argv,message", [
    (["--adapter", "schema", "--format", "gguff"], "no format 'gguff'.*merged-gguf.*did you mean 'gguf'"),
    (["--adapter", "nobody"], "no trained adapter 'nobody'; there are: kpi, schema, unimed-attendant"),
    (["--adapter", ""], "which adapter"),
    (["--adapter", "../base"], "no trained adapter"),
])  # fmt: skip
def test_wrong_options_list_the_choices(runs, monkeypatch, argv, message):
    monkeypatch.setattr(export.ready, "runs_of", lambda base="", profile="": runs)
    with pytest.raises(UserError, match=message):
        export.main(argv)
