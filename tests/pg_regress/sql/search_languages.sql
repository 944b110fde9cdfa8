-- Search by words in other languages: a project reads its texts by the text search configuration that it names.
\set SHOW_CONTEXT never
set search_path = memory_profile, public;
-- words alone: the default encoder is trained on English
set memory_profile.embedding_model = '';

create function pg_temp.found(q text) returns text
language sql
as $$ select coalesce((select memory from memory_profile.memory_search('reader', found.q, 0, max_results => 1)), '-') $$;

-- German: endings, umlauts in plurals, ß and ss, capitals of every letter
select project_create('german', '{"text_search_config": "german"}') is not null as created;
select use_project('german');
select count(*) from memories_add('reader', '[
  {"content": "Sie hat zwei Häuser am See gekauft"}, {"content": "Die Ärzte rieten ihm zu längeren Spaziergängen"},
  {"content": "Er wohnt in der Goethestraße"}, {"content": "Ihre Schwester lernte das Geigenspielen"}
]');
select q, pg_temp.found(q) as found
from (values ('Haus'), ('HÄUSERN'), ('Arzt'), ('ÄRZTEN'), ('Spaziergang'), ('goethestrasse'), ('GOETHESTRASSE'), ('Schwestern'), ('lernt')) t (q);
select q, (select count(*) from memory_search('reader', q, 0)) as rows from (values ('und der die das'), ('sie hat am'), ('Hund')) t (q);

-- Russian: cases of nouns, persons of verbs, Cyrillic capitals
select project_create('russian', '{"text_search_config": "russian"}') is not null as created;
select use_project('russian');
select count(*) from memories_add('reader', '[
  {"content": "Она купила новые книги о музыке"}, {"content": "Его брат работает врачом в больнице"},
  {"content": "Они переехали в Москву весной"}, {"content": "Каждое утро он бегает по парку"}
]');
select q, pg_temp.found(q) as found
from (values ('книга'), ('КНИГУ'), ('музыка'), ('врачи'), ('больница'), ('работала'), ('МОСКВА'), ('в Москве'), ('весна'), ('парк')) t (q);
select q, (select count(*) from memory_search('reader', q, 0)) as rows from (values ('и в на он'), ('она о'), ('собака')) t (q);

-- Spanish: persons and tenses, gender and number, accents
select project_create('spanish', '{"text_search_config": "spanish"}') is not null as created;
select use_project('spanish');
select count(*) from memories_add('reader', '[
  {"content": "Los niños corrieron por el parque"}, {"content": "Su hermana es abogada en Málaga"},
  {"content": "Trabajaba como cocinero en un restaurante francés"}, {"content": "Le encantan las canciones tristes"}
]');
select q, pg_temp.found(q) as found
from (values ('niño'), ('NIÑAS'), ('correr'), ('abogados'), ('MÁLAGA'), ('trabajar'), ('cocineras'), ('restaurantes'), ('canción'), ('triste')) t (q);
select q, (select count(*) from memory_search('reader', q, 0)) as rows from (values ('los de la por el'), ('su es un'), ('perro')) t (q);

-- French: the same word of another language stays apart in another project
select project_create('french', '{"text_search_config": "french"}') is not null as created;
select use_project('french');
select count(*) from memories_add('reader', '[{"content": "Elle préfère les chevaux aux vélos"}, {"content": "Il a étudié à Besançon"}]');
select q, pg_temp.found(q) as found from (values ('préférer'), ('CHEVAL'), ('étudier'), ('BESANÇON')) t (q);
select q, (select count(*) from memory_search('reader', q, 0)) as rows from (values ('aux elle il'), ('hermana'), ('Häuser')) t (q);

-- Without stemming: the word as it stands, in any case, and no stop words
select project_create('simple', '{"text_search_config": "simple"}') is not null as created;
select use_project('simple');
select count(*) from memories_add('reader', '[
  {"content": "Sie hat zwei Häuser"}, {"content": "Η Ελένη μένει στην Αθήνα"},
  {"content": "東京に住んでいる"}, {"content": "大阪 に 引っ越した"}, {"content": "她住在北京"}, {"content": "他 喜欢 上海"}, {"content": "그는 부산에 산다"}
]');
select q, pg_temp.found(q) as found from (values ('HÄUSER'), ('ΑΘΉΝΑ'), ('Ελένη'), ('hat'), ('부산에'), ('大阪'), ('上海'), ('東京に住んでいる'), ('她住在北京')) t (q);
-- What it cannot do: nothing finds an inflected form, and Chinese and Japanese without spaces are one long word each.
select q, pg_temp.found(q) as found from (values ('Haus'), ('부산'), ('東京'), ('北京')) t (q);

-- a language that Postgres does not have is refused
select project_configure('{"text_search_config": "klingon"}');

select count(project_drop(name)) as dropped from project where name in ('german', 'russian', 'spanish', 'french', 'simple');
