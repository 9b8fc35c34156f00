"""Phrases that say whose data is being stated. Patterns are over folded text: lower case, without accents.

OWN and OTHERS mark places; the nearest one before a datum decides. QUOTED, searched in the turn up to the datum,
says that the words are repeated, denied or only supposed. AFTER is matched right behind the datum.
"""

import re

_PEOPLE = (
    "mae|pai|pais|mamae|papai|filh[oa]s?|filhinh[oa]|bebe|crianca|espos[oa]|marido|mulher|companheir[oa]|noiv[oa]|"
    "namorad[oa]|irma|irmao|irmaos|irmas|av[oa]|avos|vovo|tios?|tias?|prim[oa]s?|sobrinh[oa]s?|net[oa]s?|sogr[oa]|"
    "genro|nora|cunhad[oa]|enteado|enteada|padrasto|madrasta|vizinh[oa]s?|amig[oa]s?|colegas?|chefe|patrao|patroa|"
    "clientes?|pacientes?|dependentes?|pessoa(?! \\w{0,2}f\\w{2,6}\\b)|conhecid[oa]s?|ex|rapaz|moca|"
    "menin[oa]s?|soci[oa]s?|alun[oa]s?|usuari[oa]s?|"
    "terceir[oa]s?|fulan[oa]|cicran[oa]|beltran[oa]|cara|homem|parentes?|familiar|familiares|afilhad[oa]|madrinha|"
    "padrinho|inquilin[oa]|estagiari[oa]|senhora?|comadre|compadre|cuidadora?|bisav[oa]s?|bisnet[oa]s?|don[oa]s?|"
    "pessoal d[aeo]|idos[oa]s?|baba|pastora?|diarista|faxineir[oa]|zeladora?"
)
#: People who may just as well be mentioned for another reason: "o médico pediu um exame".
_PROFESSIONS = (
    "funcionari[oa]s?|empregad[oa]s?|professora?|doutora?|medic[oa]|advogad[oa]|gerente|motorista|porteiro|sindic[oa]|"
    "secretari[oa]|dentista|prefeit[oa]|politic[oa]|ator|atriz|cantora?|jogadora?|famos[oa]|presidente|governadora?|vereadora?|"
    "deputad[oa]"
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
    r"(?:d[aeo] )?(?:pess\w+|nascimento|ti\w{1,2}ular|n\w{0,3}m\w{0,2}r?o|num|n|no|plano|co[nt]{1,3}rat(?:o|ante)s?|"
    r"carteirinha|cadastro|cpf|"
    r"unimed|natal|mim|contato|acesso|saude|consulta|bene\w{2,4}ari[oa]|segurad[oa]|conta|pessoais|pessoal|dia|mes|ano|novo|nova|"
    r"certo|problema|trabalho|servico|rh|posto|hospital|banco|cabeca|cor|memoria|pra|para|"
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
#: What people do who only brought or help the user: "meu filho instalou isso", "minha filha está digitando pra mim".
_HELPED = (
    r"(?! (?:que )?(?:sempre |ja )?(?:me )?(?:instal\w+|baixou|ensin\w+|indic\w+|recomend\w+|explic\w+|mostr\w+|"
    r"configurou|resolvi?a?|ajud\w+|mexe|mexia|cuida(?:va)? d(?:isso|essas coisas))\b"
    r"| (?:que )?(?:t?a|esta|tava|quem)? ?(?:escrev|digit|mand|fal)\w+ (?:aqui )?(?:por|pra|para) mim\b"
    r"| (?:que )?(?:t?a|esta|tava) me ajudando\b| dizendo (?:que|ser) (?:era |e )?d[aeo]\b"
    r"| (?:me )?(?:disse|falou|contou|avisou) que (?:aqui|por aqui|da|dava|voces|vcs|vc|eu (?:consig|pod|tenh|precis))"
    r"\w*)"
)

OWN = re.compile(
    rf"\b(?:meus?|minhas?)\s+(?:(?:proprio|propria|novo|nova|numero|n|de|do|data|segundo)\s+)*(?:{_MINE})\b"
    r"|\bn(?:as|sa)[a-z]{0,3}i\b|\bmae me (?:teve|deu|pariu)\b|\bnascid[oa] eu\b|\beu nasc\w*"
    r"|\bsou nascid[oa]\b|\bfaco aniversario\b|\bvim ao mundo\b"
    r"|\be eu (?:foi )?(?:em|no dia|dia) (?=\d)|\bo meu (?:e|eh|sao)\b|\ba minha (?:e|eh) (?=\d)|\b(?:e|eh) o meu\b"
    r"|\b(?:errei|corrigindo|correcao|digitei errado|me enganei|me confundi)\b"
    r"|\b(?:ve|ver|veja|vejam|olh[ae]|consult[ae]|quero|agora|entao|e) o meu(?: (?:mesmo|proprio|aqui))?(?= *[:,;\d-])"
    r"|\bquer dizer,? o meu\b|(?<!nem )(?<!nem [oa] )(?<!nao )(?<!nao [oa] )(?<!eu [oa] )\btitular sou eu\b(?! nao\b)"
    r"|\bo (?:certo|correto) (?:e|eh)\b|(?<!nao )\bsou [oa] titular\b|\bo plano (?:e|esta|ta|fica) (?:no|em) "
    r"meu(?= nome\b| *[.,;!\n|])"
    r"|(?:^|[\n|,.;:!?]|\baqui)\s*sou eu\b(?! qu?e?\b)"
)
OTHERS = re.compile(
    r"(?:^|[\n|.;:!?])[ \t]*(?:clientes?|pacientes?|dependentes?|mae|pai|filh[oa]|espos[oa]|marido|vizinh[oa])\b"
    r"|, ?(?:espos[oa]|marido|dependente)\b(?! (?:e|d[oae])\b)"
    rf"|(?<!\bdia )\b{_WHOSE}\s+(?:\w+\s+)?(?:{_PEOPLE})\b(?! me\b){_HELPED}"
    r"|\b(?:das?|de|dess?as|daquelas|pra|para|cpf|ver) (?:as |umas |algumas |varias |outras )?pessoas\b"
    rf"|\b(?:cpf|dados|plano|contrato|nascimento|data|ficha|boleto|carteirinha|cadastro|cobranca|"
    rf"vencimento|debitos|fatura|e-?mail cadastrado|mensalidade|situacao|cirurgia) d[aeo]s? (?:{_PROFESSIONS})\b"
    r"|\bd[ae] quem me\b|\buma? tal d[aeo] \w+,? (?:cpf|nasc)|\b(?:mainha|painho)\b"
    rf"|\bd[aeo] (?:meu|minha|noss[oa]) (?:{_PROFESSIONS})\b|\b(?:nao|n) (?:sou|e) eu\b"
    rf"|\b(?:exames?|atestados?|consultas marcadas) d[ao]s? (?!{_NOT_A_NAME}|meus?\b|minhas?\b)\w+"
    rf"|\b(?:e|eh|sao|pr[ao]|para) (?:d?[ao] )?(?:uma? )?(?:{_PROFESSIONS})\b|\bd?e ?uma? (?:{_PROFESSIONS})\b"
    rf"|\b(?:o|a) (?:{_PROFESSIONS}) (?:tem|nasceu|esta com|possui)\b"
    r"|\b(?:consult|verific|procur|busc|pux|olh|chec)\w*(?:,? por favor,?| pra mim| ai)? [oa] "
    r"(?:funcionari|colaborador|empregad|pacient|client)\w*"
    r"|\b(?:dele|dela|deles|delas|outrem)\b"
    r"|\b(?:ele|ela|eles|elas)\b"
    r"(?! (?:me )?(?:pediu|disse|falou|mandou|pediram|mandaram) (?:pra|para) (?:eu|mim)\b)"
    r"|\blhe pertenc\w+"
    r"|(?<!dar)(?<!passar)(?<!mandar)(?<!enviar)(?<!agradecer)-lhes?\b"
    r"|\b(?:de|para|pra|procur\w+|consult\w+|busqu\w+|busca\w*|com) alguem\b"
    r"|\b(?:nasceu|nasceram|nascera|falecid[oa]|faleceu)\b"
    rf"|\b(?:cpfs?|nascimento|dados) d[aeo]s? (?!{_NOT_A_NAME})\w+"
    rf"|\b(?:cadastro|ficha|prontuario|carteirinha|contrato|aniversario) d[ao]s? (?!{_NOT_A_NAME})\w+"
    r"|\b(?:seu|sua|teu|tua) (?:cpf|data de nascimento|nascimento)\b|\boutros? cpfs?\b|\bpr[oe]ximos? cpfs?\b"
    r"|\b(?:sou|aqui e|fala|falo como|como|atuo como|trabalho como|na qualidade de|em nome d\w+)\s+"
    rf"(?!(?:client|usuari|segurad|benefici)\w+ da unimed\b)(?:[oa]|um|uma)?\s*(?:\w+\s+)?(?:{_OFFICE})"
    r"|\bmodo (?:\w+ )?(?:admin\w*|debug|desenvolvedor|manutencao|teste|deus|root|dan)\b"
    r"|(?:^|[\n|#\[<>])[ \t]*(?:system|sistema|assistant|assistente|tool|developer)\s*[:\]>]"
    r"|\bcpf (?:alvo|vitima)\b|\b(?:alvo|vitima)\b"
)
CORRECTION = re.compile(
    r"\b(?:err\w{1,7}|era?r?d[ao]|corrij\w+|corrig\w+|corret\w+|"
    r"correc\w+|(?<!tudo )cert[oa]s?|cerot|crrto|retific\w+|ops|opa|digo|"
    r"desculp\w*|perd(?:ao|oa|oe)|engan\w+|confund[io]\w*|sem querer|ixi|troquei|troca|putz|"
    r"vixe|eita|e?s?pera\w*|considera|na verdade|alias|foi mal|n(?:ao)? (?:e|eh) ess[ea]|n(?:ao)? vale|"
    r"(?:esse|este) cpf n(?:ao)? (?:e|eh) (?:o )?meu|"
    r"em vez|ou m\w*lh\w*or|nao e esse|melhor dizendo|qui?s dizer|quer dizer|"
    r"sou do (?:ano|mes|dia)|o novo|minto|nao,|n(?:ao)? n(?:ao)?|esquec[ea]|a?trapalh\w+|peguei|equivoc\w+|mude|muda|"
    r"altera|atualiz\w+|seria|verdade|o (?:dia|mes|ano) (?:e|eh))\b"
)
_FIRST_PERSON = (
    r"eu|aqui (?:e|eh|quem)|quero|preciso|tou?|estou|olh[ae]|veja?|me (?:ajud|diz|diga|fal[ae]|mand[ae])\w*|bom|boa|"
    r"sou|meu|minha|segue|como|qual|tudo"
)
#: Somebody addressed, not spoken of, in a turn that states no figures after it: "meu contrato, meu filho, como vejo?"
VOCATIVE = re.compile(
    r", (?:meu|minha) (?:filh[oa]|amig[oa]|irmao|irma|chefe|patrao|patroa|senhora?)"
    r"(?= *(?:[,.!?|\n]|$))(?=[^|\d]*(?:\||$))"
    r"|\bnossa senhora\b|\bpaz do senhor\b"
    r"|\b[oa] senhora?"
    r"(?= (?:ve|veja|pode|poderia|consegue|sabe|me|olh[ae]|confer[ea]|consult[ae]|checa|verific[ae]|faz)\b)"
    r"|\b(?:oi+|ola|opa|ai|olh[ae]|fala|visse|viu|valeu|obrigad[oa]|bom dia|boa tarde|boa noite|escuta),? "
    r"(?:meu|minha) (?:filh[oa]|amig[oa]|irmao|irma|chefe|patrao|patroa|senhora?)"
    rf"(?= ?[.!](?! *(?:o )?(?:cpf|nasc|\d))| ?[,;]? *(?:{_FIRST_PERSON})\b|\s*(?:\||$))"
    r"|(?:^|\|\n)(?:meu|minha) (?:filh[oa]|amig[oa]|irmao|irma|chefe|patrao|patroa|senhora?)"
    rf"(?=, *(?:{_FIRST_PERSON})\b[^|\d]*(?:\||$))"
    r"|(?:^|[\n|,.!;] *)o (?:minha (?:filha|amiga|irma|patroa|senhora)|moca)(?=,|\n)"
    r"|\bcarteir\w+\b[^|.!?\d]{0,30} (?:n|no|num|n\w{0,3}m\w{0,2}r?o|copia|foto|codigo|segunda via) dela\b"
    rf"|\b(?:telefone|celular|zap|whats\w*|aparelho)(?: emprestado)?[ ,()\d-]* d[aeo] (?:meu|minha) (?:{_PEOPLE})"
    r"|\b(?:pra|para|com) outr[oa] (?:moc[oa]|rapaz|menin[oa])\b(?=[^|\d]*(?:\||$))"
)
#: Who joins or leaves the user's own plan: whose data the user gives, asked for their own afterwards, this doesn't say.
MENTIONED = re.compile(
    r"\b(?:inclu(?:ir|o)|adicionar|exclu(?:ir|o)|remover|tirar|colocar|botar) "
    r"(?:(?:o|a|um|uma|mais|meu|minha|outr[oa]) ){0,2}"
    rf"(?:dependentes?\b|(?:{_PEOPLE})\b"
    r"(?: (?:como dependente|n[ao] (?:meu )?plano|d[ao] (?:meu )?(?:plano|depend\w+))))"
    rf"|\b(?:meu|minha) (?:{_PEOPLE}) ja aparece como (?:meu|minha) dependente"
)
#: What somebody is by trade, said to whoever asks for their own data: "sou enfermeira, sei como é".
TRADE = re.compile(
    r"\bsou (?:[oa] |uma? )?(?:enfermeir|medic|advogad|corretor|engenheir|contador|secretari|professor|"
    r"tecnic|funcionari)\w*"
)
#: To the end of a sentence; a dot between digits ends none.
_SENTENCE = r"(?:[^.!?\n|]|\.(?=[\d.])|(?<=\.)\.(?![\d.]))*"
SENTENCE_END = re.compile(r"[!?\n]|(?<!\.)\.(?![\d.])")
#: Searched in the sentence that a datum stands in, up to it.
SUPPOSED = re.compile(
    r"\bse eu (?:(?:te|lhe|me|ja) )?(?:nasci|sou|dig[oa]|d[ie]s\w+|fal\w+|der|fosse|for|mand\w+|pass\w+|tiver|tivesse|"
    r"inform\w+|us\w+|digit\w+|coloc\w+|escrev\w+|nasce\w+|estive\w*|consult\w+|bot\w+|chut\w+|entr\w+|invent\w+)\b"
)
#: Searched after the last exclamation or question before a datum.
RELAYED = re.compile(
    r"\b(?:el[ea]s?|vizinh[oa]|amig[oa]|colega|alguem|(?:minha|meu|um|uma) \w+) (?:me )?"
    rf"(?:disse|diz|falou|escreveu|mandou|digitou|respondeu|ditou|dita|informou|passou|pediu)\b{_SENTENCE}"
    r"\b(?:meus?|minhas?|nasci|sou)\b"
)
QUOTED = re.compile(
    r"\b(?:repita|repete|recite|traduza|traduz|transcreva|complete|decodifique|decifre|continue a frase|"
    r"(?<!\[)mensagem(?! (?:(?:dizendo|avisando) q(?:ue)?|ontem|anteontem|hoje|sobre|e ninguem)\b)|"
    r"(?<=\[)mensagem(?! de (?:voz|audio)\b))\b"
    r"[^!?|]*$"
    r"|\b(?:finja|fingir|finge|suponha|suponhamos|supondo|imagine|imagina|imaginemos|digamos|"
    r"faz de conta|faca de conta|faca o papel|hipotetic\w+|hipotese|como se|fosse|simul\w+|role ?play|brincadeira|jogo|"
    r"ficcao|historia|poema|novela|personagem|interprete|atue|aja|(?<!@)exemplo|caso meu)\b[^|]*$"
    r"|\b(?:nao|nunca|nem) (?:e|eh|era|foi|seja|sao) (?:o |a |os |as )?(?:meus?|minhas?)\b(?! o meu e)[^,.;!?\n|]*$"
    r"|\b(?:meus?|minhas?) (?:cpf|data de nascimento|nascimento) (?:nao|nunca) (?:e|eh|era|foi)\b[^,.;!?\n|]*$"
    r"|(?:^[^\"|]*(?:\"[^\"|]*\"[^\"|]*)*\"|(?<![a-z])'|[“«`])[^\"'”»`|]*\b(?:meus?|minhas?|nasci|sou)\b[^\"'”»`|]*$"
)
#: Searched in the whole turn: what it gives is an example, or nothing is to be done with it.
VOID = re.compile(
    r"\b(?:esses? (?:dados|numeros)|nada disso) (?:nem|nao) (?:e|eh|sao) meus?\b"
    r"|\b(?:dados|numeros|ess[ea]s|est[ea]s|isso|eles) (?:ai )?nao sao os meus\b"
    r"|\b(?:(?:so|e|como) (?:um )?exemplo|de exemplo|(?:cpf|numeros?|dados?|datas?) (?:ficti\w+|inventad\w+))\b"
    r"|(?<!nao )(?<!me )(?<!dizendo )\b(?:desconsider\w+|ignor[ae])\b"
    r"(?! (?:se|(?:o|a) (?:primeir|boleto|audio|fatura|cobranca)))"
    r"[^\d]*$|\b(?:chat|conversa) errad[oa]\b[^\d]*$"
)
_LINKS = (
    r"(?:[\s,.;:()\"'-]|"
    r"\b(?:e|eh|esse|esses|este|estes|esta|essa|isso|que|sao|pertence|pertencem|o|a|cpf|numero|nascimento|data)\b)*"
)
#: Told that only the user's own data will do.
ASKS_ONLY_OWN = re.compile(r"\b(?:so|somente|apenas) (?:os|o|com os|preciso dos) seus?\b")
#: A question for somebody else's data.
ASKS_OTHERS = re.compile(rf"\b(?:{_PEOPLE}|dele|dela)\b")
#: Something of somebody with a name: first name and surname are compared with lists.
NAMED = re.compile(r"\b[oa]s? [\w-]+(?: \w+)? d[aeo] (?!sant)(?=([a-z]{3,}) (?:d[aeo]s? )?([a-z]{3,})\b)")
#: Where a relative may be named with a slip of the finger: the word is compared with RELATIVES.
POSSESSED = re.compile(rf"\b(?:minhas?|meus?|noss[oa]s?|outr[oa]s?|uma?) ([a-z]{{4,14}})\b{_HELPED}")
RELATIVES = (
    "filha", "filho", "bebe", "esposa", "esposo", "marido", "mulher", "companheira", "companheiro", "namorada",
    "namorado", "noiva", "noivo", "irma", "irmao", "prima", "primo", "sobrinha", "sobrinho", "sogra", "sogro",
    "cunhada", "cunhado", "vizinha", "vizinho", "amiga", "amigo", "colega", "chefe", "patrao", "patroa", "cliente",
    "paciente", "dependente", "pessoa", "funcionario", "funcionaria", "empregada", "empregado", "enteada", "enteado",
    "padrasto", "madrasta", "parente", "afilhada", "afilhado", "madrinha", "padrinho", "genro", "mamae", "papai",
)  # fmt: skip
AFTER = re.compile(
    _LINKS + r"\bnao (?:e|eh|sao) (?:o |a )?(?:meu|minha)"
    rf"|{_LINKS}\b(?:del[ea]s?|(?:d[aeo]s?|ao?) "
    rf"(?:(?:meus?|minhas?|um|uma|noss[oa]|outr[oa]) )?(?:\w+ )?(?:{_PEOPLE}))\b"
    r"(?![^|]*\d{3})"  # unless more figures follow: then it is those that are somebody else's
)
