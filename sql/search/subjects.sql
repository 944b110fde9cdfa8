-- The subjects of a project, in the order of every index. $1 project, $2 how many or null
select s.subject_key from memory_profile.subject s where s.project_id = $1 order by s.subject_key limit $2
