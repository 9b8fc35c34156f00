# ruff: noqa: E501 (tables of examples)
"""Paths that lead out, code and network in a config, credentials anywhere: refused within 100 ms, nothing executed."""

import gc
import time
from pathlib import Path

import pytest

from scripts import check
from scripts.config import rules
from scripts.paths import CONFIGS

BASE = (CONFIGS / "kpi.yml").read_text(encoding="utf-8")


def refused(text: str) -> list[str]:
    """The problems of a config; refusing must take at most 100 ms of processor time, of this thread and no other."""
    gc.disable()  # what the tests before this one left behind is not its work
    try:
        start = time.thread_time()
        found = check.looked(text, CONFIGS / "kpi.yml", "adapter")[1]
        took = time.thread_time() - start
    finally:
        gc.enable()
    assert took < 0.1
    return [str(each) for each in found]


def test_the_config_is_valid_before():
    assert refused(BASE) == []


def line(key: str) -> str:
    return next(each for each in BASE.splitlines() if each.strip().removeprefix("- ").startswith(f"{key}:"))


WAYS_OUT = ["/etc/passwd", "../x", "~/x", "{top}/../x", "{top}/../../x.jsonl", "{top}//x", "{top}/./x", "{top}/x/../../y", "\\\\server\\x", "C:\\x",
            "{top}\\..\\x", "file:///x", "https://x.y/z", "s3://b/x", "gs://b/x", "hf://datasets/a/b", "a/b", "{top}/x\\n/y", "{top}/%2e%2e/x", "{top}/x;id",
            "{top}/$(id)", "{top}/`id`", "-x", "{top}/-x/..", "{top}/x ", " {top}/x"]  # fmt: skip
PLACES = {"path": "datasets", "output_dir": "outputs", "chat_template_jinja": "configs/templates"}
TRAVERSALS = [(key, way.replace("{top}", top)) for key, top in PLACES.items() for way in WAYS_OUT]


@pytest.mark.parametrize("key, way", TRAVERSALS)
def test_paths_that_lead_out(key, way):
    before = line(key)
    prefix = before[: before.index(f"{key}:")]
    text = BASE.replace(
        before, f'{prefix}{key}: "{way if chr(92) + "n" in way else way.replace(chr(92), chr(92) * 2)}"'
    )
    assert text != BASE and any(f".{key}: " in each for each in refused(text))


def test_a_link_that_leads_out(tmp_path, monkeypatch):
    from scripts.config import crossfile, yamlfile

    folder = tmp_path / "datasets"
    (folder / "kpi").mkdir(parents=True)
    (tmp_path / "secret.jsonl").write_text("{}\n")
    (folder / "kpi/train.jsonl").symlink_to(tmp_path / "secret.jsonl")
    monkeypatch.setattr(crossfile, "ROOT", tmp_path)
    monkeypatch.setattr(crossfile, "DATASETS", folder)
    document = yamlfile.parse(BASE, Path("configs/kpi.yml"))[0]
    found = list(crossfile.data_problems(document, "$.datasets[0].path", "datasets/kpi/train.jsonl"))
    assert "leads out of datasets/" in str(found[0])


CODE = """
plugins: [os.system]
plugins: [axolotl.integrations.liger.LigerPlugin]
plugins: [scripts.run.progress.progress]
plugins: ["scripts.run.progress.Progress; import os"]
plugins: [scripts.run.progress.x.Progress]
plugins: [scripts.run..Progress]
trust_remote_code: true
trainer_cls: evil.Trainer
model_type: evil.Model
tokenizer_type: evil.Tokenizer
processor_type: evil.Processor
cls_model_config: evil.Config
model_kwargs: {trust_remote_code: true}
processor_kwargs: {trust_remote_code: true}
overrides_of_model_config: {auto_map: {AutoModel: x--y}}
model_config: {auto_map: {AutoModel: x--y}}
use_kernels: true
attn_implementation: evil/kernel
attn_implementation: kernels-community/flash-attn3
experts_implementation: evil
trl: {reward_funcs: [evil.reward]}
trl: {rollout_func: evil.rollout}
vllm: {serve_module: evil, worker_extension_cls: evil.X}
rl: grpo
optimizer: evil/optimizer
optim_args: {a: b}
torchdistx_path: /x
lr_scheduler: evil
torch_compile_backend: evil
torch_compile_options: {triton.cudagraphs: true}
eval_causal_lm_metrics: [evil]
resume_from_checkpoint: evil
lora_model_dir: evil
tokenizer_config: evil/x
base_model_config: evil/x
deepspeed: https://x.y/ds.json
deepspeed: {zero_optimization: {stage: 3}}
unfrozen_parameters: ["(a+)+$"]
lora_target_modules: ["(a+)+$"]
lora_target_modules: ".*"
chat_template_jinja: "{{ ''.__class__ }}"
chat_template: tokenizer_default_fallback_chatml
dynamic_checkpoint: {enabled: true, trigger_file_path: /x}
axolotl_config_path: https://x.y/z
hub_model_id: evil/x
push_dataset_to_hub: evil/x
hf_use_auth_token: true
use_wandb: true
wandb_project: x
use_mlflow: true
mlflow_tracking_uri: http://x
use_comet: true
use_trackio: true
use_otel_metrics: true
gradio_share: true
datasets: [{path: datasets/kpi/train.jsonl, type: evil.module}]
datasets: [{path: datasets/kpi/train.jsonl, type: chat_template, trust_remote_code: true}]
datasets: [{path: datasets/kpi/train.jsonl, type: {system_prompt: x}}]
datasets: [{path: datasets/kpi/train.jsonl, type: chat_template, data_files: /etc/passwd}]
datasets: [{path: datasets/kpi/train.jsonl, type: chat_template, chat_template_jinja: "{{ x }}"}]
datasets: [{path: datasets/kpi/train.jsonl, type: chat_template, ds_type: pickle}]
datasets: [{path: datasets/kpi/train.pkl, type: chat_template}]
datasets: [{path: datasets/kpi/train.py, type: chat_template}]
pretraining_dataset: [{path: evil/x}]
push_to_hub: true
x: !!python/object/apply:os.system [id]
x: !!python/name:os.system
x: !!python/module:os
""".strip().splitlines()


@pytest.mark.parametrize("added", CODE)
def test_code_and_network(added, monkeypatch):
    def never(*_):
        raise AssertionError("something was executed")

    for name in ("system", "popen", "execv"):
        monkeypatch.setattr(f"os.{name}", never)
    key = added.split(":")[0]
    kept = "\n".join(each for each in BASE.splitlines() if not each.startswith(f"{key}:"))
    if key == "datasets":
        kept = BASE.split("datasets:")[0] + BASE.split("train_on_eos: turn\n")[1]
    if key == "lora_target_modules":
        kept = BASE.replace(line(key), "")
    found = refused(f"{kept}\n{added}\n")
    assert any(f"$.{key}" in each or "the tag" in each for each in found), found


A, D = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789", "0123456789abcdef0123456789abcdef01234567"
SECRETS = [
    f"hf_{A}", f"api_org_{A}", f"sk-{A}", f"sk-proj-{A}", f"sk-ant-api03-{A}", "AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE",
    f"aws_secret_access_key = {A}wxyz", f"ghp_{A}", f"gho_{A}", f"github_pat_{A}", f"glpat-{A[:20]}", f"xoxb-{A}", f"xoxp-1234-{A}",
    f"AIza{A[:35]}", f"ya29.{A}", f"sk_live_{A}", f"rk_test_{A}", f"npm_{A}", f"pypi-{A}{A}", f"eyJ{A}.eyJ{A}.{A}",
    "-----BEGIN PRIVATE KEY-----", "-----BEGIN RSA PRIVATE KEY-----", "-----BEGIN OPENSSH PRIVATE KEY-----", "-----BEGIN PGP PRIVATE KEY BLOCK-----",
    "https://user:hunter22@example.org/x", "postgresql://u:s3cret@db/x", "password: hunter22", "senha=abc12345", f"api_key: '{A}'",
    "DB_PASSWORD=hunter22", f"access_token: {A}", f"wandb_api_key: {D}", f"token={D}",
]  # fmt: skip


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("where", ["# {}", 'x: "{}"', "x: 1 # {}"])
def test_credentials(secret, where):
    found = [each for each in refused(f"{BASE}{where.format(secret)}\n") if "must not be in a file" in each]
    number = BASE.count("\n") + 1
    assert found and found[0].startswith(f"configs/kpi.yml:{number}:")
    assert secret not in "".join(found) or len(secret) <= 4


@pytest.mark.parametrize(
    "harmless",
    [
        "max_tokens: 5",
        "pad_token: x",
        "sk-learn",
        "hf_hub",
        "# senha do portal é pedida ao usuário",
        "https://example.org/a:b",
    ],
)
def test_harmless_words_are_no_credentials(harmless):
    assert rules.secrets(CONFIGS / "kpi.yml", harmless) == []


def test_there_are_thirty_of_each():
    assert min(len(TRAVERSALS), len(CODE), len(SECRETS)) >= 30
