-- The codes of the vectors of memories. $1 subject key or keys, $2 embedding model
select e.subject_key, e.memory_id, e.code
from memory_profile.memory_embedding e
where /* subjects e */ and e.model_id = $2
