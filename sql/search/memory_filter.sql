-- The memories that pass a filter. $1 subject key or keys, $2 and on: the filter's
select m.subject_key, m.id
from memory_profile.memory m
where /* subjects m */ and m.superseded_at is null and /* filter m */
