-- A sample health-plan operator. `python -m scripts.data.sampledb` fills it; every row is invented.
-- Standard SQL: it runs unchanged on SQLite and PostgreSQL. Comments inside a table stay in SQLite's
-- own catalogue, and the data sets read what a table or column means from there.

CREATE TABLE municipio ( -- municípios onde moram os beneficiários e atendem os prestadores
  id INTEGER PRIMARY KEY, -- chave do município
  nome VARCHAR(60) NOT NULL UNIQUE, -- nome do município
  uf CHAR(2) NOT NULL, -- estado, em sigla
  populacao INTEGER NOT NULL CHECK (populacao > 0) -- população aproximada
);

CREATE TABLE plano ( -- planos de saúde que a operadora vende
  id INTEGER PRIMARY KEY, -- chave do plano
  nome VARCHAR(40) NOT NULL UNIQUE, -- nome comercial
  acomodacao VARCHAR(12) NOT NULL CHECK (acomodacao IN ('enfermaria', 'apartamento')), -- acomodação na internação
  abrangencia VARCHAR(10) NOT NULL CHECK (abrangencia IN ('municipal', 'estadual', 'nacional')), -- área de cobertura
  mensalidade NUMERIC(10, 2) NOT NULL CHECK (mensalidade > 0) -- mensalidade de tabela, em reais
);

CREATE TABLE contrato ( -- contratos vendidos, cada um de um plano
  id INTEGER PRIMARY KEY, -- chave do contrato
  plano_id INTEGER NOT NULL REFERENCES plano (id), -- plano contratado
  tipo VARCHAR(12) NOT NULL CHECK (tipo IN ('individual', 'familiar', 'empresarial')), -- tipo de contratação
  data_inicio DATE NOT NULL, -- início da vigência
  situacao VARCHAR(10) NOT NULL CHECK (situacao IN ('ativo', 'cancelado')) -- situação do contrato
);

CREATE TABLE beneficiario ( -- pessoas cobertas pelos contratos, titulares e dependentes
  id INTEGER PRIMARY KEY, -- chave do beneficiário
  contrato_id INTEGER NOT NULL REFERENCES contrato (id), -- contrato que cobre a pessoa
  municipio_id INTEGER NOT NULL REFERENCES municipio (id), -- município onde a pessoa mora
  nome VARCHAR(80) NOT NULL, -- nome completo (dado pessoal)
  cpf CHAR(11) NOT NULL UNIQUE, -- CPF, só dígitos (dado pessoal)
  data_nascimento DATE NOT NULL, -- data de nascimento (dado pessoal)
  telefone VARCHAR(16), -- telefone (dado pessoal)
  email VARCHAR(80), -- e-mail (dado pessoal)
  endereco VARCHAR(120), -- endereço (dado pessoal)
  sexo CHAR(1) NOT NULL CHECK (sexo IN ('F', 'M')), -- sexo, F ou M
  vinculo VARCHAR(10) NOT NULL CHECK (vinculo IN ('titular', 'dependente')), -- vínculo com o contrato
  data_adesao DATE NOT NULL, -- data de entrada no plano
  data_cancelamento DATE, -- data de saída; vazia enquanto ativo
  situacao VARCHAR(10) NOT NULL CHECK (situacao IN ('ativo', 'cancelado')), -- situação do beneficiário
  CHECK ((situacao = 'cancelado') = (data_cancelamento IS NOT NULL))
);

CREATE TABLE fatura ( -- mensalidades cobradas de cada contrato, uma por mês
  id INTEGER PRIMARY KEY, -- chave da fatura
  contrato_id INTEGER NOT NULL REFERENCES contrato (id), -- contrato cobrado
  competencia CHAR(7) NOT NULL, -- mês de competência, AAAA-MM
  vencimento DATE NOT NULL, -- data de vencimento
  valor NUMERIC(10, 2) NOT NULL CHECK (valor > 0), -- valor cobrado, em reais
  situacao VARCHAR(8) NOT NULL CHECK (situacao IN ('paga', 'vencida')), -- paga, ou vencida e em aberto
  UNIQUE (contrato_id, competencia)
);

CREATE TABLE pagamento ( -- pagamentos recebidos das faturas
  id INTEGER PRIMARY KEY, -- chave do pagamento
  fatura_id INTEGER NOT NULL UNIQUE REFERENCES fatura (id), -- fatura paga
  data_pagamento DATE NOT NULL, -- data do pagamento
  forma VARCHAR(10) NOT NULL CHECK (forma IN ('boleto', 'pix', 'cartão')), -- forma de pagamento
  valor NUMERIC(10, 2) NOT NULL CHECK (valor > 0) -- valor recebido, em reais
);

CREATE TABLE prestador ( -- hospitais, clínicas e laboratórios da rede credenciada
  id INTEGER PRIMARY KEY, -- chave do prestador
  municipio_id INTEGER NOT NULL REFERENCES municipio (id), -- município onde atende
  nome VARCHAR(60) NOT NULL UNIQUE, -- nome fantasia
  tipo VARCHAR(12) NOT NULL CHECK (tipo IN ('hospital', 'clínica', 'laboratório')) -- tipo de estabelecimento
);

CREATE TABLE procedimento ( -- procedimentos médicos que o plano cobre
  id INTEGER PRIMARY KEY, -- chave do procedimento
  nome VARCHAR(60) NOT NULL UNIQUE, -- nome do procedimento
  grupo VARCHAR(12) NOT NULL CHECK (grupo IN ('consulta', 'exame', 'terapia', 'internação')), -- grupo do procedimento
  preco NUMERIC(10, 2) NOT NULL CHECK (preco > 0) -- preço de referência, em reais
);

CREATE TABLE guia ( -- guias de atendimento enviadas pelos prestadores
  id INTEGER PRIMARY KEY, -- chave da guia
  beneficiario_id INTEGER NOT NULL REFERENCES beneficiario (id), -- beneficiário atendido
  prestador_id INTEGER NOT NULL REFERENCES prestador (id), -- prestador que atendeu
  procedimento_id INTEGER NOT NULL REFERENCES procedimento (id), -- procedimento realizado
  competencia CHAR(7) NOT NULL, -- mês de competência, AAAA-MM
  data_atendimento DATE NOT NULL, -- data do atendimento
  carater VARCHAR(10) NOT NULL CHECK (carater IN ('eletivo', 'urgência')), -- caráter do atendimento
  situacao VARCHAR(10) NOT NULL CHECK (situacao IN ('paga', 'negada')), -- situação da guia
  valor NUMERIC(10, 2), -- valor pago ao prestador, em reais; vazio na guia negada
  CHECK ((situacao = 'negada') = (valor IS NULL))
);
