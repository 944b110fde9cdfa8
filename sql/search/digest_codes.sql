-- The codes of the vectors of the memories of a large subject, piece by piece. $1 subject key
select c.first_block, c.codes
from memory_profile.memory_digest_codes c
where c.subject_key = $1
order by c.first_block, c.piece
