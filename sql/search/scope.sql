-- Where a search looks and by which settings: the scoring of the project goes before that of the model, member by member.
-- $1 subject or null, $2 embedding model or null
select p.id, case when $1 is not null then memory_profile._subject_key(p.id, memory_profile._check_subject($1)) end,
       (memory_profile._default_settings() || p.settings) ->> 'text_search_config',
       jsonb_strip_nulls(jsonb_build_object(
         'weights', coalesce(m.scoring -> 'weights', '{}') || coalesce(p.settings #> '{scoring,weights}', '{}'),
         'calibration', coalesce(p.settings #> '{scoring,calibration}', m.scoring -> 'calibration'))),
       (extract(epoch from now()) * 1000000)::bigint,
       m.id
from memory_profile.project p
left join memory_profile.embedding_model m on m.name = $2
where p.id = memory_profile._project()
