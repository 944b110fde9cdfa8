-- The words of a question as the project's text search configuration sees them. $1 question, $2 configuration
select coalesce(array_agg(lexeme order by lexeme), '{}') from unnest(to_tsvector($2::regconfig, $1))
