-- What a search reads of the chunks of its subjects. $1 subject key or keys
select s.subject_key, s.signatures
from memory_profile.chunk_signature s
where /* subjects s */
order by s.subject_key, s.document_id, s.block
