-- What the memories of a large subject count for, some thousands to a row, and how many have codes. $1 subject key,
-- $2 embedding model
select d.first_block, d.last_block, d.head, case when d.model_id = $2 then d.coded else 0 end
from memory_profile.memory_digest d
where d.subject_key = $1
order by d.first_block
