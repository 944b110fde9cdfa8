-- The codes of the vectors of chunks. $1 subject key or keys, $2 embedding model
select e.subject_key, e.chunk_id, e.code
from memory_profile.chunk_embedding e
where /* subjects e */ and e.model_id = $2
