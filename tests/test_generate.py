"""Batched generation: the same answers as one by one, adapters kept apart, tool calls that don't fit never issued."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from scripts.errors import UserError
from scripts.model import generate, strict
from scripts.model.toolcall import OPEN, text_of

ASKED = ["oi", "qual é a capital da França?", "meu cpf é 123", "conte até dez, por favor", "a", "b c d e f g h"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory, base_folder: Path) -> Path:
    """A random Llama of two layers with the real tokenizer, and adapters of four kinds over it."""
    root = tmp_path_factory.mktemp("tiny")
    torch.manual_seed(3)
    size = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = LlamaConfig(vocab_size=49152, max_position_embeddings=256, eos_token_id=2, pad_token_id=0, **size)
    model = LlamaForCausalLM(config)
    model.generation_config.eos_token_id = 2
    model.save_pretrained(root / "base")
    for file in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copyfile(base_folder / file, root / "base" / file)
    kinds = {
        "one": {"r": 4, "target_modules": ["q_proj", "v_proj", "down_proj"]},
        "two": {"r": 6, "target_modules": ["v_proj", "up_proj"], "use_rslora": True},
        "three": {"r": 2, "target_modules": ["o_proj"]},
        "biased": {"r": 4, "target_modules": ["v_proj"], "lora_bias": True},
    }
    for name, kind in kinds.items():
        plain = LlamaForCausalLM.from_pretrained(root / "base")
        get_peft_model(plain, LoraConfig(**kind, init_lora_weights=False)).save_pretrained(root / name)
    return root


@pytest.fixture
def both(tiny: Path) -> generate.Generator:
    made = generate.Generator(tiny / "base", dtype=torch.float32)
    for name in ("one", "two"):
        made.add(name, tiny / name)
    return made


def turns() -> list[list[dict]]:
    return [[{"role": "user", "content": text}] for text in ASKED]


def test_a_layer_that_an_adapter_brings_along_is_not_the_bases_packed_one(tiny, tmp_path):
    plain = LlamaForCausalLM.from_pretrained(tiny / "base", dtype=torch.bfloat16)
    own = get_peft_model(plain, LoraConfig(target_modules=["q_proj"], modules_to_save=["lm_head"]))
    torch.nn.init.zeros_(own.base_model.model.lm_head.modules_to_save.default.weight)
    own.save_pretrained(tmp_path)
    made = generate.Generator(tiny / "base", dtype=torch.bfloat16)
    made.add("own", tmp_path)
    for name, silent in (("own", True), (generate.BASE, False)):
        with made.using([name]) as more, torch.inference_mode():
            assert bool(made.model(torch.tensor([[1, 5]]), **more).logits.any()) != silent


def test_a_batch_answers_as_one_by_one(both):
    together = both.answers(turns(), "one", most=12)
    alone = [both.answers([each], "one", most=12)[0] for each in turns()]
    assert together == alone and any(together)


def test_adapters_are_kept_apart_and_mix_in_one_batch(both):
    apart = {name: both.answers(turns(), name, most=12) for name in ("base", "one", "two")}
    assert len({tuple(texts) for texts in apart.values()}) == 3
    names = ["base", "one", "two", "one", "base", "two"]
    mixed = both.answers(turns(), names, most=12)
    assert mixed == [apart[name][row] for row, name in enumerate(names)]
    assert both.answers(turns(), "base", most=12) == apart["base"], "the base came back changed"


def test_adapters_of_different_layers_and_ranks_mix_by_joined_products(both, tiny):
    both.add("three", tiny / "three")
    names = ["one", "base", "three", "two", "one"]
    ids = torch.randint(5, 900, (5, 9), generator=torch.Generator().manual_seed(2))
    alone = []
    for row, name in enumerate(names):
        with both.using([name]) as told:
            alone.append(both.model(input_ids=ids[row : row + 1], **told).logits)
    with both.using(names) as told:
        assert told == {}, "PEFT's own mixing is not asked for"
        mixed = both.model(input_ids=ids).logits
    assert torch.allclose(mixed, torch.cat(alone), atol=1e-5)
    with both.using(["two"]) as told:
        other = both.model(input_ids=ids[:1], **told).logits
    assert not torch.allclose(other, alone[0], atol=1e-3), "which adapter it is makes no difference"
    with pytest.raises(RuntimeError, match="in between"), both.using(names):
        raise RuntimeError("in between")
    assert not any("forward" in vars(module) for module in both.model.modules())


def test_an_adapter_that_is_more_than_two_matrices_mixes_by_peft(both, tiny):
    both.add("biased", tiny / "biased")
    apart = {name: both.answers(turns(), name, most=8) for name in ("one", "biased")}
    names = ["one", "biased", "one", "biased", "biased", "one"]
    assert both.answers(turns(), names, most=8) == [apart[name][row] for row, name in enumerate(names)]
    assert not both.mixed.plain


def test_a_stream_is_the_same_answer_in_pieces(both):
    pieces = list(both.stream(turns()[1], "two", most=12))
    assert "".join(pieces) == both.answers(turns()[1:2], "two", most=12)[0]


def test_an_unknown_adapter_and_too_long_a_conversation_are_refused(both):
    with pytest.raises(UserError, match="no adapter four is loaded; there are: one, two"):
        both.answers(turns()[:1], "four")
    with pytest.raises(UserError, match="longer than the base's 256"):
        both.answers([[{"role": "user", "content": "palavra " * 300}]], "one")


def test_rows_are_cut_by_slots_and_every_row_is_there():
    prompts = [[0] * n for n in (5, 9000, 7000, 30, 30)]
    made = generate.cut(prompts)
    assert sorted(row for batch in made for row in batch) == [0, 1, 2, 3, 4]
    assert all(max(len(prompts[row]) for row in batch) * len(batch) <= generate.SLOTS for batch in made)


TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "consult",
            "parameters": {
                "type": "object",
                "properties": {"cpf": {"type": "string", "pattern": "^[0-9]{11}$"}},
                "required": ["cpf"],
                "additionalProperties": False,
            },
        },
    }
]


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("Olá!", True),
        ('<tool_call>\n{"name": "consult", "arguments": {"cpf": "12345678901"}}\n</tool_call>', True),
        ('<tool_call>\n{"name": "consult", "arguments": {"cpf": "1234567890"}}\n</tool_call>', False),
        ('<tool_call>\n{"name": "consult", "arguments": {}}\n</tool_call>', False),
        ('<tool_call>\n{"name": "delete", "arguments": {"cpf": "12345678901"}}\n</tool_call>', False),
    ],
)
def test_only_calls_that_fit_their_tool_may_be_issued(tmp_path: Path, text: str, fits: bool):
    (tmp_path / strict.NAME).write_text(json.dumps(TOOLS), encoding="utf-8")
    assert strict.judge(tmp_path).allows(text, []) is fits


def test_without_tools_nothing_is_judged(tmp_path: Path):
    assert strict.judge(tmp_path) is None


def test_a_refused_call_is_asked_again_with_its_opening_barred(both):
    why = [{"role": "assistant", "content": "kicks"}, {"role": "tool", "content": "{}"}]
    both.judges["one"] = SimpleNamespace(
        due=lambda *_: False,
        allows=lambda *_: False,
        choices=lambda *_: [],
        refused=lambda draft, said: why[: 2 * (said != turns()[0])],
    )
    plain = both.answers(turns(), "two", most=4)
    assert not both.drafts
    texts = both.answers(turns(), "one", most=4)
    assert len(both.drafts) == len(ASKED)
    first = both.tokenizer.encode(OPEN, add_special_tokens=False)[0]
    assert plain == both.answers(turns(), "two", most=4)
    assert all(not text.startswith(both.tokenizer.decode([first])) for text in texts)
    told = [turns()[0], *([*messages, *why] for messages in turns()[1:])]  # the first has no reason to be told
    assert texts == both.answers(told, "one", most=4, barred=True)
    left = both.model.config.max_position_embeddings - len(both.prompt([*turns()[0], *why])) - 20
    endless = [{"role": "user", "content": "kicks" + " kicks" * left}]
    assert both.told("one", "", endless, most=4) == [*endless, *why]
    assert both.told("one", "", endless, most=40) == endless  # no room for a reason


@pytest.mark.parametrize(
    ("said", "cpf", "born", "reasons"),
    [
        ("cpf 123.456.789-0, nasci em 5/3/85", "1234567890", "19850305", {"cpf": "cpf_too_short"}),
        ("cpf 123.456.789-012, nasci em 5/3/85", "123456789012", "19850305", {"cpf": "cpf_too_long"}),
        ("cpf 123.456.789-012, nasci em 5/3/85", "12345678901", "19850305", {"cpf": "cpf_too_long"}),
        ("cpf 12345678901, 31/02/1985", "12345678901", "19850231", {"born": "birth_date_does_not_exist"}),
        ("cpf 12345678901, 31/02/1985", "12345678901", "19850228", {"born": "birth_date_does_not_exist"}),
        ("cpf 12345678901, 5/3/2085", "12345678901", "20850305", {"born": "birth_date_in_the_future"}),
        ("cpf 12345678901, março de 85", "12345678901", "19850301", {"born": "birth_date_not_stated"}),
        ("o cpf da minha mãe é 12345678901", "12345678901", "19850305", {"cpf": "cpf_of_somebody_else"}),
        ("nasci em 31/02/1985", "12345678901", "19850228", {"born": "birth_date_does_not_exist"}),
        ("nasci em 05/03/1985", "12345678901", "19850305", {"cpf": "cpf_not_stated"}),
        ("nasci em 05/03/1985", "05031985", "19850305", {"cpf": "cpf_not_stated"}),
        ("nasci em 05/03/1985", "123456789", "19850305", {"cpf": "cpf_not_stated"}),
        ("nasci em 05/03/1985", "12345678901", "20990101", {"cpf": "cpf_not_stated"}),  # the date was given
        ("cpf 12345678901", "1234567890", "19850305", {"born": "birth_date_not_stated"}),
        ("cpf 12345678901, nasci em 5/3/2085", "12345678901", "19850305", {"born": "birth_date_in_the_future"}),
        ("cpf 12345678901 nascimento 45011950", "12345678901", "19500114", {"born": "birth_date_does_not_exist"}),
        ("cpf 12345678901, nasci em 5 de março", "12345678901", "19850305", {"born": "birth_date_incomplete"}),
        ("cpf 12345678901, nascida em 03/1985", "12345678901", "19850301", {"born": "birth_date_incomplete"}),
        ("meu cpf 12345678901, o boleto de 03/2025", "12345678901", "19850301", {"born": "birth_date_not_stated"}),
        ("vê o plano do meu pai, cpf 12345678901", "1234567", "19850305", {"cpf": "cpf_of_somebody_else"}),
        ("cpf 123.456.789, nasci em 05/03/1985", "123.456.789", "19850305", {"cpf": "cpf_too_short"}),
        ("minha guia é 1234567, nasci em 05/03/1985", "12345678901", "19850305", {"cpf": "cpf_not_stated"}),
        ("cpf 123.456.789-012, casa 12345, 05/03/1985", "12345678901", "19850305", {"cpf": "cpf_too_long"}),
        ("nasci em 05031985, meu cpf é 123456789", "12345678901", "19850305", {"cpf": "cpf_too_short"}),
        ("nasci em 05/03/1985, fone 84 3333-4444", "12345678901", "19850305", {"cpf": "cpf_not_stated"}),
        ("quero ver meu plano", "12345678901", "x", {"cpf": "cpf_not_stated", "born": "birth_date_not_stated"}),
        ("cpf 12345678901, março de 85", "12345678901", "19850300", {"born": "birth_date_not_stated"}),
        ("cpf 12345678901, 33 de abril de 82", "12345678901", "19820433", {"born": "birth_date_does_not_exist"}),
        ("cpf 12345678901", "12345678901", [1, 9, 8, 5, 0, 3, 0, 5], {"born": "birth_date_not_stated"}),
        ("449.1.24-5 / 29/09/1975", "4491245", "19750929", {"cpf": "cpf_too_short"}),
        ("70290990820-69, nasci em 5/3/85", "7029099082069", "19850305", {"cpf": "cpf_too_long"}),
        ("cpf 12345678901", "12345678901", "<|im_end|>", {"born": "birth_date_not_stated"}),
    ],
)  # fmt: skip
def test_a_refused_call_comes_back_with_the_reason(tmp_path: Path, said, cpf, born, reasons):
    (tmp_path / strict.NAME).write_text(json.dumps(STATED), encoding="utf-8")
    judge, turns, draft = strict.judge(tmp_path), [{"role": "user", "content": said}], drafted(cpf, born)
    assert not judge.allows(draft, turns) and not judge.choices(draft, turns)
    call, error = judge.refused(draft, turns)
    assert text_of(call) == draft.replace("<|", r"\u003c|") and "<" not in json.dumps(call)
    assert error["role"] == "tool" and json.loads(error["content"]) == {"status": "error"} | reasons
    assert judge.refused(draft[:40], turns) == [], "what can't be read has no reason to tell"


@pytest.mark.parametrize(
    ("said", "before", "due"),
    [
        ("meu cpf é 123.456.789-0", None, True),
        ("1234567890", "Me forneça seu CPF.", True),
        ("1234567890", None, False),  # what this number is nobody said
        ("nasci em 31/02/1985", None, True),
        ("cpf 12345678901, nasci em 31/02/1985", None, True),
        ("nasci em 31/02/1985, aliás, 28/02/1985", None, True),
        ("meu cpf é 12345678901", None, True),
        ("nasci em 5/3/85", None, True),
        ("5/3/85", "Me forneça sua data de nascimento.", True),
        ("12345678901", None, False),
        ("meu telefone é 84999991234, não sei o cpf", None, False),
        ("o boleto de 5/3/25 não chegou", None, False),
        ("o boleto de 5/3/25 não chegou", "Me forneça seu CPF e data de nascimento.", False),
        ("a consulta de 10/10/2025 foi autorizada?", "Me forneça sua data de nascimento.", False),
        ("incluir recém-nascido, o parto foi 10/05/2026", None, False),
        ("finja que meu cpf é 12345678901", None, False),
        ("meu cpf não é 12345678901", None, False),
        ("se eu nasci em 05/03/1985, que plano posso ter?", None, False),
        ("não passo meu cpf, me liga no 3333-4444", "Me forneça seu CPF.", False),
        ("segunda via da fatura, cpf 123.456.789-01", None, True),
        ("meu cpf é 12345678901, a fatura é de 01/12/2030", None, True),
        ("sou a Telma, 123456789-01 é meu cpf", None, True),
        ("123.456.789-01", None, True),
        ("15/06/1985, quero ver meu plano", None, True),
        ("cpf 12345678901, nasci em 5/3/85", None, True),
        ("o cpf da minha mãe é 12345678901, ela nasceu em 5/3/55", None, True),  # the tool says whose it is
        ("nasci em 5 de março", None, True),
        ("29/09", "Me forneça sua data de nascimento.", True),
        ("o boleto de 29/09 não chegou", "Me forneça sua data de nascimento.", False),
        ("5/3/85", "Me forneça seu CPF.", True),
        ("5/3/25", "Me forneça seu CPF.", False),
        ("meu cpf é um dois três quatro cinco seis", None, True),
        ("quero meu boleto de março de 2024", "Me forneça seu CPF.", False),
        ("o cpf da minha mãe é 1234567890", None, False),
        ("minha mãe nasceu em 31/02/1985", None, False),
        ("meu boleto vence 31/06/2026", None, False),
        ("31/06/1986", "Me forneça seu CPF e data de nascimento.", True),
        ("31/06/1986", "Me forneça seu CPF.", True),  # the tool says what is wrong with it
        ("31/06/1986", None, True),
        ("não lembro o cpf, meu telefone é (84) 3333-4444", None, False),
        ("só tenho a carteirinha 0865 0001 2345 6789 0", "Me forneça seu CPF.", False),
        ("meu cpf é 123456789, ou 12345678901", None, True),
        ("", None, False),
    ],
)
def test_a_tool_is_due_where_the_user_gives_what_it_takes(tmp_path: Path, said, before, due):
    (tmp_path / strict.NAME).write_text(json.dumps(STATED), encoding="utf-8")
    messages = [{"role": "assistant", "content": before}, {"role": "user", "content": said}]
    judge = strict.judge(tmp_path)
    assert judge.due(messages if before else messages[1:]) is due
    assert not judge.due([*messages, {"role": "tool", "content": "{}"}]) and not judge.due([])


def test_what_a_draft_leaves_out_is_missing(tmp_path: Path):
    (tmp_path / strict.NAME).write_text(json.dumps(REQUIRED), encoding="utf-8")
    judge, turns = strict.judge(tmp_path), [{"role": "user", "content": "cpf 12345678901"}]
    assert judge.refusals({"name": "consult", "arguments": '{"cpf": "12345678901"}'}, turns) == {
        "born": "birth_date_not_stated"
    }


def test_no_tool_is_due_for_what_the_user_stated_before(tmp_path: Path):
    (tmp_path / strict.NAME).write_text(json.dumps(STATED), encoding="utf-8")
    asked, short = {"role": "assistant", "content": "Qual o CPF?"}, {"role": "user", "content": "e o 2024001?"}
    said = {"role": "user", "content": "cpf 12345678901, nasci em 5/3/85"}
    judge = strict.judge(tmp_path)
    assert judge.due([asked, short]) and not judge.due([said, asked, short])
    cpf, born = ({"role": "user", "content": each} for each in ("cpf 12345678901", "nasci em 5/3/85"))
    assert judge.due([cpf, asked, born]) and not judge.due([cpf, born, asked, {"role": "user", "content": "obrigado"}])


def test_without_marks_no_tool_is_ever_due(tmp_path: Path):
    (tmp_path / strict.NAME).write_text(json.dumps(TOOLS), encoding="utf-8")
    assert not strict.judge(tmp_path).due([{"role": "user", "content": "meu cpf é 123"}])


def test_an_answer_opens_with_a_call_where_one_is_due(both):
    first = both.tokenizer.decode(both.opening)
    both.judges["one"] = SimpleNamespace(due=lambda messages: messages == turns()[1], allows=lambda *_: True)
    plain, free = both.answers(turns(), "two", most=4), both.answers([turns()[1]], "one", most=4, barred=True)[0]
    texts = both.answers(turns(), "one", most=4)
    assert [text.startswith(first) for text in texts] == [messages == turns()[1] for messages in turns()]
    assert both.drafts == {1: free}
    assert "".join(both.stream(turns()[1], "one", most=4)) == texts[1] and plain == both.answers(turns(), "two", most=4)
    why = [{"role": "assistant", "content": "kicks"}, {"role": "tool", "content": "{}"}]
    both.judges["one"] = SimpleNamespace(
        due=lambda messages: messages == turns()[1],
        allows=lambda text, _: not text.startswith(first),
        choices=lambda *_: [],
        refused=lambda *_: why,
    )
    told = both.answers([[*turns()[1], *why]], "one", most=4, barred=True)
    assert both.answers([turns()[1]], "one", most=4) == told and both.drafts == {0: free}


STATED = [
    {
        "function": {
            "name": "consult",
            "parameters": {
                "type": "object",
                "properties": {
                    "cpf": {"type": "string", "pattern": "^[0-9]{11}$", "x-stated": "cpf"},
                    "born": {"type": "string", "x-stated": "birth"},
                },
            },
        }
    }
]


def drafted(cpf: str, born: str) -> str:
    arguments = json.dumps({"cpf": cpf, "born": born})
    return f'<tool_call>\n{{"name": "consult", "arguments": {arguments}}}\n</tool_call>'


@pytest.mark.parametrize(
    ("said", "cpf", "born", "choices"),
    [
        ("cpf 123.456.789-01, nasci em 5/3/85", "12345678901", "19850305", None),
        ("cpf 123.456.789-01, nasci em 5 de marco de 85", "12345678901", "19850503", [("12345678901", "19850305")]),
        ("um dois tres quatro cinco meia sete oito nove zero um, 05031985", "1", "2", [("12345678901", "19850305")]),
        ("cpf 12345678901, 5/3/85, aliás o ano é 1986", "12345678901", "19850303",
         [("12345678901", "19860305")]),
        ("cpf 12345678901, 5/3/85, me enganei, era 86", "12345678901", "19850303",
         [("12345678901", "19850305"), ("12345678901", "19860305")]),
        ("o cpf da minha mãe é 12345678901, ela nasceu em 5/3/55", "12345678901", "19550305", []),
        ("cpf 12345678901 nasc 01jan1990", "12345678901", "19900101", None),
        ("cpf 12345678901, cinco de jaaneiro de dois mil e onze", "12345678901", "20020105",
         [("12345678901", "20110105")]),
        ("12345678901 nascido em 07/03/2001, desculpe, é 31 de 10 de 1997", "12345678901", "19970307",
         [("12345678901", "19971031")]),
        ("cpf 12345678901, 8 de juhno de cinquenta e oito", "12345678901", "19500608", [("12345678901", "19580608")]),
        ("cpf 12345678901, 8 de juhno de 58", "12345678901", "19580708", [("12345678901", "19580608")]),
        ("quero ver meu plano", "12345678901", "19550305", []),
        ("cpf 12345678901, 28111985, perdão, o ano certo é 1990", "12345678901", "19901128", None),
        ("cpf 12345678901, 5/3/85. Espra sou do ano de 1984", "12345678901", "19840305", None),
    ],
)  # fmt: skip
def test_a_call_says_only_what_the_user_stated(tmp_path: Path, said, cpf, born, choices):
    (tmp_path / strict.NAME).write_text(json.dumps(STATED), encoding="utf-8")
    judge, turns, draft = strict.judge(tmp_path), [{"role": "user", "content": said}], drafted(cpf, born)
    assert judge.allows(draft, turns) is (choices is None)
    if choices is not None:
        assert judge.choices(draft, turns) == [drafted(*pair) for pair in choices]


def test_a_call_that_runs_away_is_made_of_what_the_user_stated(tmp_path: Path):
    (tmp_path / strict.NAME).write_text(json.dumps(STATED), encoding="utf-8")
    judge, turns = strict.judge(tmp_path), [{"role": "user", "content": "12345678901, nasci em 5/3/85"}]
    away = drafted("12345678901", "19850305")[:60] + "8" * 200
    assert not judge.allows(away, turns)
    assert judge.choices(away, turns) == [drafted("12345678901", "19850305")]
    assert judge.allows("Olá! O que é <tool_call>?", turns)


def test_somebody_addressed_is_nobody_spoken_of(tmp_path: Path):
    (tmp_path / strict.NAME).write_text(json.dumps(STATED), encoding="utf-8")
    judge, call = strict.judge(tmp_path), drafted("12345678901", "19850305")
    said = {"role": "user", "content": "cpf 12345678901, 5/3/85"}
    assert judge.allows(call, [{"role": "user", "content": "meu contrato, meu filho, como vejo?"}, said])
    assert not judge.allows(call, [{"role": "user", "content": "o contrato do meu filho, como vejo?"}, said])
    assert not judge.allows(call, [{"role": "user", "content": "quero ver, meu filho, cpf 12345678901, 5/3/85"}])


def test_a_mark_that_means_nothing_is_refused(tmp_path: Path):
    text = json.dumps(STATED).replace('"birth"', '"brith"')
    (tmp_path / strict.NAME).write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="x-stated of born is 'brith'; there are: cpf, birth"):
        strict.judge(tmp_path)


def test_of_several_calls_the_likeliest_is_chosen(both):
    calls = [drafted("12345678901", day) for day in ("19850305", "19860305", "19870305")]
    both.judges["two"] = SimpleNamespace(
        due=lambda *_: False, allows=lambda text, _: text in calls, choices=lambda *_: calls
    )
    texts = both.answers(turns(), "two", most=4)
    assert len(both.drafts) == len(ASKED) and set(texts) <= set(calls)
    for messages, text in zip(turns(), texts, strict=True):
        prompt, sums = both.prompt(messages), []
        for call in calls:
            ids = torch.tensor([prompt + both.tokenizer.encode(call, add_special_tokens=False)])
            with torch.inference_mode(), both.using(["two"]):
                found = both.model(input_ids=ids).logits[0, len(prompt) - 1 : -1].float().log_softmax(-1)
            sums.append(found.gather(1, ids[0, len(prompt) :, None]).sum().item())
        assert text == calls[sums.index(max(sums))]


REQUIRED = json.loads(json.dumps(STATED))
REQUIRED[0]["function"]["parameters"]["required"] = ["cpf", "born"]
