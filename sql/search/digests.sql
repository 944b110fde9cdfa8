-- What the memories of a subject count for, some thousands to a row. $1 subject key
select d.first_block, d.last_block, d.head
from memory_profile.memory_digest d
where d.subject_key = $1
order by d.first_block
