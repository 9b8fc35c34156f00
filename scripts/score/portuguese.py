"""What a Portuguese answer does: which fields it asks for, and whether it is Portuguese at all.

An answer asks for a field when the field stands under a request ("preciso do", "me informe", "qual é")
and not under thanks or a confirmation ("obrigado pelo", "já tenho", "recebi"). Each sentence is read from
left to right; the last cue before a field decides, and a sentence that has a request but names no field
("pode me enviar?") asks for the fields that the sentence before it left open.
"""

import re
import unicodedata

FIELDS = {
    "cpf": r"\bcpf\b|cadastro de pessoa fisica",
    "data_nascimento": r"\b(data|dia|ano|mes)( completa| exata)?( de| do| em que)?( seu| sua)?"
    r"( voce| o senhor| a senhora)? (nascimento|nasceu)\b|\bnascimento\b"
    r"|\bquando( e que)? (voce|o senhor|a senhora|o beneficiario|a beneficiaria)? ?nasceu\b"
    r"|\b(sua|a|essa|esta|da|pela) data\b",
}
REQUEST = (
    r"(?<!nao )\b(precis(o|a|amos|ar|arei|aremos|aria|ariamos)|necessit(o|amos)|necessari[oa]s?"
    r"|falt(a|am|ou|aram|ando)|solicito|pec[oa]|gostaria|quero|inform(e|ar|a)|diga|dizer|diz|pass(e|ar|a)"
    r"|envi(e|ar|a)|mand(e|ar|a)|forneca|fornecer|fornece|compartilh(e|ar)|digit(e|ar)|escrev(a|er)"
    r"|confirm(e|ar)|repit(a|ir)|reenvi(e|ar)|corrij(a|ir)|corrigir|confir(a|ir)|conferir|verifi(que|car)"
    r"|me de|qual|quais|quando|poderia|pode|por favor|por gentileza|aguardo)\b"
)
GIVEN = (
    r"\b(obrigad[oa]|agradec\w+|grat[oa]|valeu|receb(i|emos)|recebid[oa]s?|anotei|anotad[oa]s?|registrei"
    r"|registrad[oa]s?|ja (tenho|temos|recebi|anotei|esta)|tenho (o|a|seu|sua)"
    r"|com (o|a|esse|essa|este|esta|seu|sua) (cpf|data)|alem d[oae]"
    r"|nao (preciso|precisa|e preciso|e necessario)|consultei|localizei)\b"
)
STATED = (
    r"^ ?(que )?(voce |o senhor |a senhora )?(me )?(ja )?"
    r"(informou|informad[oa]|passou|enviou|enviad[oa]|mandou|recebid[oa]|anotad[oa])"
)
BROKEN = (
    r"incomplet|invalid|incorret|errad|digito|nao parece|nao existe|nao confere|nao consegui"
    r"|nao corresponde|futur|impossivel"
)
ENGLISH = (
    r"\b(the|is|are|of|you|and|to|in|your|for|can|i|how|what|this|that|with|my|have|it|be|not|as|an|on|we|please)\b"
)
NATIVE = (
    r"\b(o|a|os|as|de|da|do|das|dos|e|que|para|por|com|um|uma|em|no|na|seu|sua|voce|nao|eu|posso|ola|bom|boa|dia|tarde|noite"
    r"|ajudar|como|preciso|obrigad[oa]|mais|se|ou|ao|nos|esta|sao|pel[oa]|qual|quais|consulta)\b"
)


def plain(text: str) -> str:
    """Lower case, no accents, no markup, single spaces."""
    decomposed = unicodedata.normalize("NFKD", text.replace("º", "o").replace("ª", "a").casefold())
    letters = "".join(c for c in decomposed if not unicodedata.combining(c))
    return " ".join(re.sub(r"[*_`#]+", "", letters).split())


def asked_fields(text: str) -> set[str]:
    """The fields that the answer asks for, by name (`cpf`, `data_nascimento`)."""
    asked: set[str] = set()
    before: set[str] = set()
    for sentence in re.split(r"(?<=[.!?;:])\s+|\n", plain_lines(text)):
        now, left_open, requests = _read(sentence)
        asked |= now
        if requests and not now and not left_open:
            asked |= before
        before = left_open
    return asked


def plain_lines(text: str) -> str:
    """`plain`, with the line ends kept."""
    return "\n".join(plain(line) for line in text.splitlines())


def _read(sentence: str) -> tuple[set[str], set[str], bool]:
    """One sentence: the fields asked for, those named without a cue or as broken, whether it requests at all."""
    marks = [(m.start(), "request") for m in re.finditer(REQUEST, sentence)]
    marks += [(m.start(), "given") for m in re.finditer(GIVEN, sentence)]
    marks.sort()
    asked, left_open = set(), set()
    late = (bool(marks) and marks[0][1] == "request") or sentence.endswith("?")
    for field, pattern in FIELDS.items():
        for mention in re.finditer(pattern, sentence):
            earlier = [kind for place, kind in marks if place <= mention.start()]
            if re.search(BROKEN, sentence) and (not earlier or earlier[-1] == "given"):
                left_open.add(field)
            elif re.match(STATED, sentence[mention.end() :]):
                continue
            elif earlier[-1:] == ["request"] or (not earlier and late):
                asked.add(field)
            elif not earlier:
                left_open.add(field)
    return asked, left_open - asked, any(kind == "request" for _, kind in marks)


def is_portuguese(text: str) -> bool | None:
    """Whether the function words are Portuguese rather than English; None where there are none to tell by."""
    bare = plain(text)
    native = len(re.findall(NATIVE, bare)) + len(re.findall("[ãõçáéíóúâêô]", text.casefold()))
    foreign = len(re.findall(ENGLISH, bare))
    return native > foreign if native or foreign else None
