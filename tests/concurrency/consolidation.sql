-- One session's share of a soup of writes about :'subject': statements in random order from random places, each a
-- transaction of its own; :kinds is how many kinds of writes there are, the last two being undoing and revising. What a statement refuses, because others were faster, is no failure of it; what must be counted
-- afterwards is written down in the table "done".
\set VERBOSITY terse
CREATE FUNCTION pg_temp.one(subject text, session integer, step integer, kinds integer) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  cities constant text[] := '{Berlin,Munich,Oslo,Rome,Paris}';
  things constant text[] := '{tea,coffee,jazz,chess,hiking}';
  city constant text := cities[1 + floor(random() * 5)];
  thing constant text := things[1 + floor(random() * 5)];
  wording constant text := (ARRAY['User likes %s', 'User enjoys %s', 'User is fond of %s'])[1 + floor(random() * 3)];
  what constant integer := floor(random() * kinds);
  chosen text;
BEGIN
  CASE
    WHEN what < 2 THEN
      PERFORM memory_profile.profile_patch(subject, jsonb_build_array(
        jsonb_build_object('field_key', 'name', 'value', format('Name %s %s', session, step), 'confidence', round(random()::numeric * 0.9, 2)),
        jsonb_build_object('field_key', 'language', 'value', thing)));
    WHEN what < 3 THEN
      PERFORM memory_profile.profile_delete(subject, 'name');
    WHEN what < 5 THEN
      PERFORM memory_profile.learn(subject, format('I live in %s.', city));
    WHEN what < 6 THEN
      PERFORM memory_profile.learn(subject, format('I no longer live in %s. I don''t like %s any more.', city, thing));
    WHEN what < 9 THEN
      PERFORM memory_profile.memory_add(subject, format(wording, thing));
      INSERT INTO done VALUES (subject, 'add');
    ELSE
      SELECT id INTO chosen FROM memory_profile.memory_list(subject, max_results => 20) ORDER BY random() LIMIT 1;
      IF chosen IS NULL THEN
        RETURN;
      ELSIF what = 9 THEN
        PERFORM memory_profile.memory_forget(subject, chosen, 'at random');
      ELSIF what = 10 THEN
        PERFORM memory_profile.memory_undo(subject, (SELECT d.id FROM memory_profile.memory_decisions(subject) d
                                                     WHERE d.undone_at IS NULL ORDER BY random() LIMIT 1));
      ELSE
        PERFORM memory_profile.memory_update(subject, chosen, format('User revised %s %s', session, step));
      END IF;
  END CASE;
EXCEPTION
  WHEN no_data_found OR object_not_in_prerequisite_state OR invalid_parameter_value THEN
    NULL;
END
$$;
SELECT format('SELECT pg_temp.one(%L, %s, %s, %s)', :'subject', :i, step, :kinds) FROM generate_series(1, 25) step \gexec
CALL memory_profile.run_jobs();
