-- What a search reads of the memories that no digest describes. $1 subject key, $2 the first of their blocks
select s.signatures
from memory_profile.memory_signature s
where s.subject_key = $1 and s.block >= $2
order by s.subject_key, s.block, s.part
