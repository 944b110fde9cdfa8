-- Makes of :'subject' one of which searches read a part: digests of two blocks, where those of a real subject have many.
set search_path = memory_profile, public;
select count(*) from memories_add(:'subject', (
  select jsonb_agg(jsonb_build_object('content', format('%s %s %s at %s', w.who[n % 6 + 1], w.did[n / 6 % 5 + 1], w.what[n / 30 % 9 + 1], n)) order by n)
  from generate_series(1, 1300) n,
       (values ('{Ada, Bruno, Chiara, Dmitri, Elif, Farah}'::text[], '{sold, lost, painted, ordered, repaired}'::text[],
                '{tents, violins, lamps, contracts, canoes, suitcases, engines, umbrellas, pianos}'::text[])) w (who, did, what)));
call run_jobs();
select _memories_digest(subject_key(:'subject'), blocks => 2, least_blocks => 0);
