-- The model that the vectors of this database were made with. $1 name
select id from memory_profile.embedding_model where name = $1
