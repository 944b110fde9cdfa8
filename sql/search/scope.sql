-- Where a search looks and by which settings. $1 subject or null
select memory_profile._project(),
       case when $1 is not null then memory_profile.subject_key($1) end,
       memory_profile.project_setting('text_search_config') #>> '{}',
       coalesce(memory_profile.project_setting('scoring'), '{}')
