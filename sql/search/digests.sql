-- What the memories of a large subject count for, some thousands to a row, how many have codes, and whether these are of the
-- model. $1 subject key, $2 embedding model
select d.first_block, d.last_block, d.head, d.coded, coalesce(d.model_id = $2, false)
from memory_profile.memory_digest d
where d.subject_key = $1
order by d.first_block
