-- The block of a memory. $1 subject key, $2 id
select m.signature_block from memory_profile.memory m where m.subject_key = $1 and m.id = $2
