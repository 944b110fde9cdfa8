-- Where a search looks and by which settings. $1 subject or null
select p.id, case when $1 is not null then memory_profile._subject_key(p.id, memory_profile._check_subject($1)) end,
       (memory_profile._default_settings() || p.settings) ->> 'text_search_config', coalesce(p.settings -> 'scoring', '{}'),
       (extract(epoch from now()) * 1000000)::bigint
from memory_profile.project p
where p.id = memory_profile._project()
