"""Names of people in Portuguese text: words that announce one, capitals, and a list of common names.

No model: a name is announced ("meu nome é …", "titular: …"), or is a run of capitalised words that are
no common words, or begins with a first name of the list (Faker's pt_BR) and goes on with a surname.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from unicodedata import normalize

PARTICLES = frozenset(("de", "da", "do", "das", "dos", "e"))
_W = r"[^\W\d_]+(?:['’´-][^\W\d_]+)*"
_WORD = re.compile(_W)
_KIN = (
    "m[ãa]e|pai|filh[oa]|espos[oa]|marido|mulher|irm[ãa]o?|av[óôo]|net[oa]|sogr[oa]|ti[oa]|namorad[oa]|noiv[oa]|"
    "companheir[oa]|dependente|benefici[áa]ri[oa]|paciente|titular|respons[áa]vel|cliente|segurad[oa]"
)
#: After these a name follows, however it is written.
_STRONG = re.compile(
    rf"(?:\bme chamo|\bmeu nome(?: completo)?(?: é| eh| e|\s*[:=-])?|\bnomes?(?: completo| d[oa] (?:{_KIN}))?"
    rf"\s*(?:[:=]| é| eh)"
    rf"|\b(?:{_KIN})\s*(?:[:=]|,? (?:se )?chamad?[oa]?|,? nome)|\bse chama|\bchamad[oa]"
    rf"|\b(?:quem fala(?: aqui)? é|aqui quem (?:fala|escreve) é|aqui fala"
    rf"|assinado|ass\b\.?|att\b\.?,?|atenciosamente,?)"
    rf"|\bem nome d[eoa]|\bno nome d[eoa]|\bcadastrad[oa] como|\bpode(?:m)? me chamar de)\s*(?:o |a |d[oa] )?",
    re.IGNORECASE,
)
#: After these a person may follow: capitalised, listed, or two words that are not common.
_PERSON = re.compile(
    rf"\b(?:(?:eu )?sou|aqui é|aqui eh|fal(?:o|a|ando|ar) com|conversando com"
    rf"|sr\.?|sra\.?|srta\.?|senhor(?:a)?|dona|dr\.?|dra\.?|doutora?"
    rf"|(?:d[eoa] )?(?:{_KIN})(?: é)?,?|(?:plano|contrato|cpf|cadastro|carteirinha) d[eoa])\s+(?:o |a )?",
    re.IGNORECASE,
)
#: After these a capitalised or listed name may follow.
_WEAK = re.compile(
    r"\b(?:é|ol[áa],?|oi+,?|bom dia,?|boa tarde,?|boa noite,?|obrigad[oa],?|prezad[oa],?|car[oa],?|seu|certo,?"
    r"|perfeito,?|claro,?"
    r"|pronto,?|entendi,?|tchau,?|valeu,?|abraços?,?|para|pra|pro)\s+(?:o |a )?",
    re.IGNORECASE,
)


def fold(word: str) -> str:
    """Lower case, no accents."""
    return normalize("NFKD", word.lower()).encode("ascii", "ignore").decode()


#: Everyday Portuguese and the words of this trade, folded; Marco is a name, março a month.
COMMON_WORDS = Path(__file__).parent / "common_words.txt"
_COMMON = frozenset(map(fold, COMMON_WORDS.read_text(encoding="utf-8").split())) - {"marco"}


@cache
def known() -> tuple[frozenset[str], frozenset[str], tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """(first names, surnames) folded, and (female, male, surnames) to take surrogates from, from Faker's pt_BR."""
    from faker.providers.person.pt_BR import Provider

    first = frozenset(fold(word) for name in Provider.first_names for word in name.split())
    last = frozenset(fold(word) for name in Provider.last_names for word in name.split()) - PARTICLES
    plain = [
        [name for name in names if name.isascii() and name.isalpha()]
        for names in (Provider.first_names_female, Provider.first_names_male, Provider.last_names)
    ]
    return first, last, *(tuple(sorted(set(names))) for names in plain)


def is_common(word: str, also: frozenset[str] = frozenset()) -> bool:
    """A word of everyday Portuguese or of this trade; `also` are folded words that the input uses in lower case."""
    return fold(word) in _COMMON or fold(word) in also or word.lower() == "março"


def is_person(first: str, last: str) -> bool:
    """Whether two folded words of no everyday meaning are a name: the second is a listed one, or both."""
    firsts, lasts = known()[:2]
    surname = last in lasts and not is_common(last)
    return not is_common(first) and (surname or (first in firsts and last in firsts | lasts))


def find(text: str, also: frozenset[str] = frozenset()) -> Iterator[tuple[int, int]]:
    """(start, end) of each name; `also` are more common words, folded."""
    shouting = text.upper() == text
    for pattern, least in ((_STRONG, 1), (_PERSON, 2), (_WEAK, 9)):
        for announced in pattern.finditer(text):
            yield from _after(text, announced.end(), least, shouting, also)
    yield from _capitalised(text, shouting, also)


def going_on(text: str, at: int, also: frozenset[str] = frozenset()) -> Iterator[tuple[int, int]]:
    """A name whose first word, at `at`, is known, with the surnames after it."""
    return _after(text, at, 1, text.upper() == text, also)


def _after(text: str, at: int, least: int, shouting: bool, also: frozenset[str]) -> Iterator[tuple[int, int]]:
    """The words from `at` on that can be a name, up to six; under `least` of them the first must be a likely one."""
    words = list(_run(text, at))[:7]
    kept: list[tuple[int, int, str]] = []
    for start, end, word in words:
        lowered = kept and word.islower() and kept[0][2][0].isupper() and fold(word) not in known()[1]
        stops = _stops(word, also if least > 1 else frozenset(), bool(kept))
        if fold(word) not in PARTICLES and (lowered or stops):
            break
        kept.append((start, end, word))
    while kept and fold(kept[-1][2]) in PARTICLES:
        kept.pop()
    if not kept or fold(kept[0][2]) in PARTICLES or len(kept[0][2]) < 2:
        return
    first = fold(kept[0][2])
    long = sum(fold(word) not in PARTICLES for _, _, word in kept) >= least
    capital = kept[0][2][0].isupper() and not shouting and not (len(kept) == 1 and kept[0][2].isupper())
    if long or first in known()[0] or capital:
        yield kept[0][0], kept[-1][1]


def _stops(word: str, also: frozenset[str], inside: bool) -> bool:
    """Whether this word can't belong to a name; inside one, a capital or the list of surnames outweighs."""
    if inside and (fold(word) in known()[1] or fold(word) in known()[0]):
        return False
    if fold(word) in known()[0] and (word[0].isupper() or not inside):
        return False
    return is_common(word, also)


def _run(text: str, at: int) -> Iterator[tuple[int, int, str]]:
    """Words from `at` on with nothing but one space between them."""
    while match := _WORD.match(text, at):
        yield match.start(), match.end(), match[0]
        at = match.end()
        if text[at : at + 2] == ". " and len(match[0]) == 1:  # an initial
            at += 1
        if text[at : at + 1] != " ":
            return
        at += 1


def _capitalised(text: str, shouting: bool, also: frozenset[str]) -> Iterator[tuple[int, int]]:
    """Two or more name-like words in a row: capitalised and uncommon, or a listed first name and more."""
    first, last = known()[:2]
    at = 0
    while match := _WORD.search(text, at):
        words = list(_run(text, match.start()))
        at = match.end()
        word, title = match[0], match[0][0].isupper() and not shouting
        listed = fold(word) in first and len(word) > 2
        if not (listed or (title and not is_common(word, also))):
            continue
        end, count = match.end(), 1
        for _, stop, other in words[1:7]:
            if fold(other) in PARTICLES:
                continue
            surname = fold(other) in last or (fold(other) in first and not is_common(other))
            if not (surname or (other[0].isupper() and not shouting and not is_common(other, also))):
                break
            end, count = stop, count + 1
        if count > 1 or (listed and title and not is_common(word)):
            yield match.start(), end
            at = end


def uncommon_lower(texts: Iterable[Iterable[str]], least: int = 5) -> frozenset[str]:
    """Folded words that at least `least` conversations write in lower case: common in this input, so no names."""
    seen: dict[str, int] = {}
    for conversation in texts:
        words = {fold(word) for text in conversation for word in _WORD.findall(text) if word.islower()}
        for word in words:
            seen[word] = seen.get(word, 0) + 1
    return frozenset(word for word, count in seen.items() if count >= least) - known()[0]
