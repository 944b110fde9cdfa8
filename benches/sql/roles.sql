-- Two ordinary roles in the default project; one of them has no encoder.
CREATE ROLE :application LOGIN IN ROLE memory_profile_user;
CREATE ROLE :words_alone LOGIN IN ROLE memory_profile_user;
ALTER ROLE :words_alone SET memory_profile.embedding_model = '';
SELECT memory_profile.project_bind('default', :'application') \g /dev/null
SELECT memory_profile.project_bind('default', :'words_alone') \g /dev/null

SELECT memory_profile.profile_schema_set('[
  {"key": "city", "type": "text"},
  {"key": "plan", "type": "select", "enum_values": ["free", "pro", "team"]},
  {"key": "seats", "type": "number"},
  {"key": "birthday", "type": "date"}
]') \g /dev/null

-- Memories that are written in bulk all get their vectors from the job queue.
SELECT memory_profile.project_configure('{"inline_embedding_limit": 0}') \g /dev/null

CREATE SCHEMA bench;
GRANT USAGE ON SCHEMA bench TO PUBLIC;

-- Memory n of a subject. The lengths of the lists have no common divisor, so the first 1,621,477 are all different.
CREATE FUNCTION bench.word(list text, n integer) RETURNS text
LANGUAGE sql IMMUTABLE
AS $$ SELECT (string_to_array(list, ', '))[1 + n % cardinality(string_to_array(list, ', '))] $$;

CREATE FUNCTION bench.person(n integer) RETURNS text
LANGUAGE sql IMMUTABLE
AS $$ SELECT bench.word('Ada, Bruno, Chiara, Dmitri, Elif, Farah, Goran, Hanna, Ivan, Jun, Kofi', n) $$;

CREATE FUNCTION bench.thing(n integer) RETURNS text
LANGUAGE sql IMMUTABLE
AS $$ SELECT bench.word('a bicycle, the garden, an invoice, a violin, the kitchen, a passport, two tickets, the database, a novel, '
  'the balcony, a lamp, an old clock, the newsletter, a tent, the printer, some bread, a coat, the alarm, a map, the piano, '
  'a canoe, the contract, a camera, the roof, a mirror, the podcast, a suitcase, the engine, an umbrella', n) $$;

CREATE FUNCTION bench.place(n integer) RETURNS text
LANGUAGE sql IMMUTABLE
AS $$ SELECT bench.word('Lisbon, Oslo, Nairobi, Kyoto, Quito, Dresden, Porto, Lagos, Tallinn, Seville, Accra, Bergen, Cusco, '
  'Delhi, Essen, Fukuoka, Ghent, Hanoi, Izmir, Jakarta, Krakow, Leeds, Malmo', n) $$;

CREATE FUNCTION bench.memory(n integer) RETURNS text
LANGUAGE sql IMMUTABLE
AS $$
  SELECT format('%s %s %s in %s %s.', bench.person(n),
    bench.word('bought, repaired, sold, lost, found, painted, described, borrowed, ordered, cleaned, photographed, packed, '
      'returned, measured, forgot, carried, cancelled', n),
    bench.thing(n), bench.place(n),
    bench.word('in spring, last week, on Monday, after the wedding, with a friend, before breakfast, during the storm, twice, '
      'on a Sunday, in a hurry, for the team, without help, at midnight', n))
$$;

CREATE TABLE bench.question (n integer PRIMARY KEY, q text NOT NULL);
GRANT SELECT, INSERT ON bench.question TO PUBLIC;
