-- A hundred subjects with eight profile fields each, and the questions that are asked.
SELECT memory_profile.profile_patch('user_' || n, jsonb_build_array(
  jsonb_build_object('field_key', 'name', 'value', bench.person(n) || ' Number ' || n, 'confidence', 1.0),
  jsonb_build_object('field_key', 'email', 'value', format('user%s@example.com', n)),
  jsonb_build_object('field_key', 'timezone', 'value', 'Europe/Lisbon'),
  jsonb_build_object('field_key', 'language', 'value', 'pt'),
  jsonb_build_object('field_key', 'city', 'value', bench.place(n)),
  jsonb_build_object('field_key', 'plan', 'value', 'pro'),
  jsonb_build_object('field_key', 'seats', 'value', n),
  jsonb_build_object('field_key', 'birthday', 'value', to_char(date '1970-01-01' + n, 'YYYY-MM-DD'))))
FROM generate_series(1, 100) n;

INSERT INTO bench.question
SELECT n, format('What did %s do with %s in %s?', bench.person(37 * n), bench.thing(37 * n), bench.place(37 * n))
FROM generate_series(1, :questions) n;
