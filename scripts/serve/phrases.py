"""Phrases that say whose data is being stated. Patterns are over folded text: lower case, without accents.

OWN and OTHERS mark places; the nearest one before a datum decides. QUOTED, searched in the turn up to the datum,
says that the words are repeated, denied or only supposed. AFTER is matched right behind the datum.
"""

import re

_PEOPLE = (
    "mae|pai|pais|mamae|papai|filh[oa]s?|filhinh[oa]|bebe|crianca|espos[oa]|marido|mulher|companheir[oa]|noiv[oa]|"
    "namorad[oa]|irma|irmao|irmaos|irmas|av[oa]|avos|vovo|tios?|tias?|prim[oa]s?|sobrinh[oa]s?|net[oa]s?|sogr[oa]|"
    "genro|nora|cunhad[oa]|enteado|enteada|padrasto|madrasta|vizinh[oa]s?|amig[oa]s?|colegas?|chefe|patrao|patroa|"
    "funcionari[oa]s?|empregad[oa]s?|clientes?|pacientes?|dependentes?|pessoa|pessoas|conhecid[oa]s?|ex|rapaz|moca|"
    "menin[oa]s?|senhora?|soci[oa]s?|alun[oa]s?|professora?|doutora?|medic[oa]|advogad[oa]|gerente|usuari[oa]s?|"
    "terceir[oa]s?|fulan[oa]|cicran[oa]|beltran[oa]|cara|homem|parentes?|familiar|familiares|afilhad[oa]|madrinha|"
    "padrinho|inquilin[oa]|motorista|porteiro|sindic[oa]|secretari[oa]|estagiari[oa]|prefeit[oa]|politic[oa]|ator|"
    "atriz|cantora?|jogadora?|famos[oa]|presidente|governadora?|vereadora?|deputad[oa]"
)
_WHOSE = (
    r"(?:d[aeo]s?|meus?|minhas?|noss[oa]s?|um|uma|outr[oa]s?|[oa]s?|seus?|suas?|ao|a|pr[aoe]|para|pel[oa]|com|ess[ea]|"
    r"aquel[ea]|dess[ea]|daquel[ea]|est[ea]|dest[ea]|algum|alguma|qualquer|cada|todos os|todas as)"
)
_MINE = (
    "cpfs?|cadastro|nascimento|nasc|dn|data|dados?|aniversario|plano|contrato|carteirinha|carteira|boleto|fatura|"
    "convenio|documento|numero|nome|identificacao|cobertura|consulta|mensalidade|situacao|conta|matricula|registro"
)
_NOT_A_NAME = (
    r"(?:d[aeo] )?(?:nascimento|titular|numero|num|n|no|plano|contrato|carteirinha|cadastro|cpf|unimed|natal|mim|"
    r"contato|acesso|saude|consulta|beneficiari[oa]|segurad[oa]|conta|pessoais|pessoal|dia|mes|ano|novo|nova|"
    r"verdade|fato|cima|baixo|antes|agora|uma vez|vez|receita|gente|\d|"
    r"janeiro|fevereiro|marco|abril|maio|junho|julho|agosto|setembro|outubro|novembro|dezembro|jan|fev|mar|abr|mai|"
    r"jun|jul|ago|set|out|nov|dez)\b"
)
_OFFICE = (
    r"administra\w+|admin|root|supervisor\w*|gerente|desenvolve\w+|programador\w*|atendente|funcionari\w+|analista|"
    r"tecnic[oa]|auditor\w*|fiscal|medic[oa]|enfermeir[oa]|advogad[oa]|policial|delegad[oa]|juiz\w*|perit[oa]|"
    r"diretor\w*|corretor\w*|secretari[oa]|procurador\w*|cuidador\w*|tutor\w*|responsavel|suporte|recepcionista|"
    r"contador\w*|investigador\w*|assistente social|engenheir[oa]|do rh|da ti|do ti|da unimed|do suporte|da equipe|"
    r"do departamento|do setor|da auditoria|da anvisa|da ans|da policia"
)

OWN = re.compile(
    rf"\b(?:meus?|minhas?)\s+(?:(?:proprio|propria|novo|nova|numero|n|de|do|data|segundo)\s+)*(?:{_MINE})\b"
    r"|\bnasci\b|\bnascid[oa] eu\b|\beu nasc\w*|\bsou nascid[oa]\b|\bfaco aniversario\b|\bvim ao mundo\b"
    r"|\bo meu (?:e|eh|sao)\b|\b(?:e|eh) o meu\b"
    r"|\b(?:errei|corrigindo|correcao|digitei errado|me enganei|me confundi)\b"
    r"|\bo (?:certo|correto) (?:e|eh)\b|\bsou (?:eu|o titular|a titular)\b"
)
OTHERS = re.compile(
    r"(?:^|[\n|.;:!?])[ \t]*(?:clientes?|pacientes?|dependentes?|mae|pai|filh[oa]|espos[oa]|marido|vizinh[oa])\b"
    rf"|\b{_WHOSE}\s+(?:\w+\s+)?(?:{_PEOPLE})\b"
    r"|\b(?:dele|dela|deles|delas|ele|ela|eles|elas|alguem|outrem|ninguem|todo mundo|lhe)\b"
    r"|\b(?:nasceu|nasceram|nascera|falecid[oa]|faleceu)\b"
    r"|\b(?:cpfs?|nascimento|dados|cadastro|ficha|prontuario|carteirinha|contrato|aniversario) "
    rf"d[aeo]s? (?!{_NOT_A_NAME})\w+"
    r"|\b(?:seu|sua|teu|tua) (?:cpf|data de nascimento|nascimento)\b|\boutros? cpfs?\b|\bpr[oe]ximos? cpfs?\b"
    r"|\b(?:sou|aqui e|fala|falo como|como|atuo como|trabalho como|na qualidade de|em nome d\w+)\s+"
    rf"(?:[oa]|um|uma)?\s*(?:\w+\s+)?(?:{_OFFICE})"
    r"|\bmodo (?:\w+ )?(?:admin\w*|debug|desenvolvedor|manutencao|teste|deus|root|dan)\b"
    r"|\b(?:system|sistema|assistant|assistente|tool|developer)\s*[:\]>]"
    r"|\bcpf (?:alvo|vitima)\b|\b(?:alvo|vitima)\b"
)
QUOTED = re.compile(
    r"\b(?:disse|diz|falou|dizendo|escreveu|mandou|digitou|respondeu|ditou|dita|informou|passou|pediu|repita|repete|"
    r"recite|traduza|traduz|transcreva|complete|decodifique|decifre|leia|continue a frase)\b[^!?|]*$"
    r"|\b(?:finja|fingir|finge|suponha|suponhamos|supondo|imagine|imagina|imaginemos|digamos|"
    r"faz de conta|faca de conta|faca o papel|hipotetic\w+|hipotese|como se|fosse|simul\w+|role ?play|brincadeira|jogo|"
    r"ficcao|historia|poema|novela|personagem|interprete|atue|aja|exemplo|caso meu|se eu)\b[^|]*$"
    r"|\b(?:nao|nunca|nem) (?:e|eh|era|foi|seja|sao) (?:o |a |os |as )?(?:meus?|minhas?)\b[^,.;!?\n|]*$"
    r"|\b(?:meus?|minhas?) (?:cpf|data de nascimento|nascimento) (?:nao|nunca) (?:e|eh|era|foi)\b[^,.;!?\n|]*$"
    r"|[\"'“«`][^\"'”»`|]*\b(?:meus?|minhas?|nasci|sou)\b[^\"'”»`|]*$"
)
_LINKS = (
    r"(?:[\s,.;:()\"'-]|"
    r"\b(?:e|eh|esse|esses|este|estes|esta|essa|isso|que|sao|pertence|pertencem|o|a|cpf|numero|nascimento|data)\b)*"
)
AFTER = re.compile(
    _LINKS + r"\bnao (?:e|eh|sao) (?:o |a )?(?:meu|minha)"
    rf"|{_LINKS}\b(?:del[ea]s?|(?:d[aeo]s?|ao?) "
    rf"(?:(?:meus?|minhas?|um|uma|noss[oa]|outr[oa]) )?(?:\w+ )?(?:{_PEOPLE}))\b"
    r"(?![^|]*\d{3})"  # unless more figures follow: then it is those that are somebody else's
)
