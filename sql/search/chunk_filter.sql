-- The chunks whose document passes a filter. $1 subject key or keys, $2 and on: the filter's
select c.subject_key, c.id
from memory_profile.document d
join memory_profile.chunk c on c.subject_key = d.subject_key and c.document_id = d.id
where /* subjects d */ and /* filter d */
