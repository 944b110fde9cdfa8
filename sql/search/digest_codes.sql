-- The codes of the vectors of the memories of a large subject, null where they are those of another model. $1 subject key,
-- $2 embedding model
select d.first_block, case when d.model_id = $2 then d.codes end
from memory_profile.memory_digest d
where d.subject_key = $1
order by d.first_block
