-- What a search reads of the current memories of its subjects. $1 subject key or keys
select s.subject_key, s.signatures
from memory_profile.memory_signature s
where /* subjects s */
order by s.subject_key, s.block, s.part
