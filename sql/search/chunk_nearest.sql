-- Whose chunks come nearest to a question. $1 project, $2 embedding model, $3 the question's vector, $4 how many chunks
select e.subject_key, e.embedding operator(memory_profile.<=>) $3::real[]::memory_profile.halfvec
from memory_profile.chunk_embedding e
where e.project_id = $1 and e.model_id = $2
order by e.embedding operator(memory_profile.<=>) $3::real[]::memory_profile.halfvec
limit $4
