"""Each metric on answers that are right, nearly right, and wrong."""

import pytest

from scripts.score.metrics import contains, number_of, score
from scripts.score.portuguese import asked_fields, is_portuguese

BOTH, CPF, BIRTH = {"cpf", "data_nascimento"}, {"cpf"}, {"data_nascimento"}


def call(arguments, name="unimed_consult"):
    return {"type": "function", "function": {"name": name, "arguments": arguments}}


WANT = {"tool_call": {"name": "unimed_consult", "arguments": {"cpf": "12345678901", "data_nascimento": "19850615"}}}
RIGHT = '{"cpf": "12345678901", "data_nascimento": "19850615"}'


@pytest.mark.parametrize(
    ("calls", "exact"),
    [
        ([call(RIGHT)], True),
        ([call('{"data_nascimento":"19850615","cpf":"12345678901"}')], True),
        ([call({"cpf": "12345678901", "data_nascimento": "19850615"})], True),
        ([call(RIGHT), call(RIGHT)], False),
        ([call(RIGHT, "unimed_cancel")], False),
        ([call('{"cpf": 12345678901, "data_nascimento": "19850615"}')], False),
        ([call('{"cpf": "12345678901"}')], False),
        ([call('{"cpf": "12345678901", "data_nascimento": "19850615", "x": ""}')], False),
        ([call('{"cpf": "12345678901", "data_nasc')], False),
        ([], False),
    ],
)
def test_tool_call_by_syntax_tree(calls, exact):
    figures = score({"expect": WANT}, {"role": "assistant", "content": None, "tool_calls": calls})
    assert figures["tool_call_exact"] is exact
    assert "no_call" not in figures


def test_no_call_and_language():
    row = {"expect": {"no_call": True, "contains": ["futuro"]}}
    said = score(row, {"content": "Essa data está no futuro. Pode conferir?"})
    assert said == {"no_call": True, "no_call_drafted": True, "contains": True, "language": True}
    called = score(row, {"content": None, "tool_calls": [call(RIGHT)]})
    assert called == {"no_call": False, "no_call_drafted": False, "contains": False, "language": False}
    refused = score(row, {"content": "Essa data está no futuro.", "draft": {"tool_calls": [call(RIGHT)]}})
    assert refused == said | {"no_call_drafted": False}
    due = {"expect": WANT}
    mended = score(due, {"tool_calls": [call(RIGHT)], "draft": {"content": None, "tool_calls": []}})
    assert mended["tool_call_exact"] is True and mended["tool_call_drafted"] is False


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        (
            "Para consultar seu contrato, vou precisar do seu CPF e data de nascimento. Pode me fornecer isso?",
            BOTH,
        ),
        ("Claro! Me forneça seu CPF e data de nascimento para acessar suas informações.", BOTH),
        ("Posso consultar com CPF e data de nascimento. Pode me passar?", BOTH),
        ("Preciso do CPF e também de quando o senhor nasceu.", BOTH),
        ("CPF e data de nascimento, por favor.", BOTH),
        ("Obrigado pelo CPF. Agora preciso também da sua data de nascimento para prosseguir com a consulta.", BIRTH),
        ("Obrigado pelo seu CPF. Para acessar suas informações, também preciso da sua data de nascimento.", BIRTH),
        ("Obrigado pelo CPF e agora preciso da data de nascimento", BIRTH),
        ("Recebi seu CPF, mas falta a data de nascimento.", BIRTH),
        ("Preciso da sua data de nascimento, pois já tenho o CPF.", BIRTH),
        ("Preciso da data de nascimento para consultar com o CPF que você informou.", BIRTH),
        ("CPF anotado! Qual é a sua data de nascimento?", BIRTH),
        ("Já anotei o CPF. Em que dia, mês e ano você nasceu?", BIRTH),
        ("Essa data de nascimento está no futuro. Pode conferir, por favor?", BIRTH),
        ("Além do CPF, me informe a **data de nascimento**.", BIRTH),
        ("Obrigado pela data. Agora preciso do seu CPF para consultar.", CPF),
        ("Obrigada pela data de nascimento! Para continuar, me informe o CPF do titular.", CPF),
        ("O CPF informado está incompleto; me envie o CPF com 11 dígitos, por favor.", CPF),
        ("Esse CPF parece incompleto. Pode conferir e enviar novamente?", CPF),
        ("O CPF tem 11 dígitos e recebi 10. Pode me enviar o CPF completo?", CPF),
        ("E o seu CPF?", CPF),
        ("Olá! Como posso ajudar?", set()),
        ("Obrigado, Maria! Já tenho seu CPF e sua data de nascimento. Vou consultar.", set()),
        ("Não preciso do CPF. Qual sua dúvida?", set()),
        ("Obrigado pelo CPF e pela data de nascimento!", set()),
        ("", set()),
    ],
)
def test_asked_fields(text, asked):
    assert asked_fields(text) == asked


def test_asks_exact_refuses_a_call_and_a_field_too_many():
    row = {"expect": {"asks": ["data_nascimento"]}}
    asking = "Obrigado pelo CPF. Qual a sua data de nascimento?"
    assert score(row, {"content": asking})["asks_exact"] is True
    assert score(row, {"content": asking, "tool_calls": [call(RIGHT)]})["asks_exact"] is False
    assert score(row, {"content": "Preciso do CPF e da data de nascimento."})["asks_exact"] is False


@pytest.mark.parametrize(
    ("text", "part", "there"),
    [
        ("O telefone é (84) 4020-8900.", "(84) 4020-8900", True),
        ("Ligue 84 40208900", "(84) 4020-8900", True),
        ("Ligue +55 84 4020-8900", "(84) 4020-8900", True),
        ("Ligue (84) 4020-8901", "(84) 4020-8900", False),
        ("1. Ligue (84) 4020-8900 (24 horas). 2. Espere", "(84) 4020-8900", True),
        ("Ligue 5184 4020-8900", "(84) 4020-8900", False),
        ("Ligue (84) 4020-89001", "(84) 4020-8900", False),
        ("Ligue (84) 4020-890", "(84) 4020-8900", False),
        ("Bem-vindo à UNIMED   NATAL!", "Unimed Natal", True),
        ("a **Unimed**\nNatal", "unimed natal", True),
        ("a Unimed Natalense", "Unimed Natal", False),
        ("carencia de 180 dias", "carência de 180 dias", True),
        ("custa R$100,00", "R$ 10", False),
        ("custa R$10", "R$ 10", True),
        ("foi de 10,5", "10", False),
        ("vence em 10/07/2025. Posso ajudar?", "10/07/2025", True),
        ("vence em 10/07/2026.", "10/07/2025", False),
        ("o total é 1.234.567,89.", "1.234.567,89", True),
        ("Como posso ajudá-lo?", "ajud*", True),
        ("Como posso ajudá-lo?", "ajud", False),
        ("Não há de quê", "ajud*", False),
        ("", "x", False),
    ],
)
def test_contains(text, part, there):
    assert contains(text, part) is there


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("A sinistralidade foi de 82,4%.", 82.4),
        ("(1.648 / 2.000) × 100 = 82,4 %", 82.4),
        ("Eventos ÷ receita × 100%: foi de 82,4%, abaixo de 90%.", 82.4),
        ("824 / 1000 = 0,824, ou seja 82,4 por cento", 82.4),
        ("São 1.234,56 reais", 1234.56),
        ("R$ 1.200.000 / 4.000 = R$ 300,00 por vida", 300.0),
        ("O ticket médio é 310.5", 310.5),
        ("caiu -3,5%", -3.5),
        ("não sei", None),
    ],
)
def test_number_of(text, number):
    assert number_of(text) == number


def test_number_within_tolerance():
    row = {"expect": {"number": 82.4, "tolerance": 0.05}}
    assert score(row, {"content": "É 82,44%"})["number"] is True
    assert score(row, {"content": "É 82,5%"})["number"] is False


@pytest.mark.parametrize(
    ("text", "portuguese"),
    [
        ("Olá! Bem-vindo ao atendimento Unimed Natal. Como posso ajudar?", True),
        ("Hello! How can I help you today?", False),
        ("I'm sorry, but I can't help you with that, Natal.", False),
        ("(84) 4020-8900", None),
    ],
)
def test_language(text, portuguese):
    assert is_portuguese(text) is portuguese


def test_language_of_nothing_is_wrong():
    assert score({"expect": {"contains": ["x"]}}, {"content": None})["language"] is False


def test_a_sentence_is_scored_by_its_likelihood():
    assert score({"text": "O trem saiu."}, {"likelihood": 0.12}) == {"likelihood": 0.12}


def test_likelihood_of_a_batch_is_that_of_each_alone():
    torch = pytest.importorskip("torch")
    from transformers import LlamaConfig, LlamaForCausalLM

    from scripts.model.likelihood import likelihoods

    class Letters:
        bos_token_id, pad_token_id, eos_token_id = None, 0, 1

        def encode(self, text, add_special_tokens):
            return [ord(c) % 31 + 1 for c in text]

    torch.manual_seed(1)
    sizes = {"vocab_size": 32, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2}
    model = LlamaForCausalLM(LlamaConfig(**sizes, num_attention_heads=2)).eval()
    texts = ["abc", "a longer sentence", "xy", "b"]
    together = likelihoods(model, Letters(), texts, batch=4)
    assert together == pytest.approx([likelihoods(model, Letters(), [text])[0] for text in texts], rel=1e-4)
    ids = torch.tensor([[0, *Letters().encode("abc", False)]])
    assert together[0] == pytest.approx(torch.exp(-model(input_ids=ids, labels=ids).loss).item(), rel=1e-4)
