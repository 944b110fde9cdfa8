-- What a search reads of some of the memories. $1 subject key, $2 their blocks
select s.block, s.part, s.signatures
from memory_profile.memory_signature s
where s.subject_key = $1 and s.block = any ($2)
