-- What a caller is told about the subjects of docs/sample.sql: to compare two databases.

\pset tuples_only on
\pset format unaligned

select memory_profile.profile_get('user_123', 'full');
select memory_profile.profile_get('user_456', 'full');
select memory_profile.profile_export('user_123') - 'exportedAt';
select memory_profile.profile_export('user_456') - 'exportedAt';
select id, memory, round(similarity::numeric, 4), metadata, version
from memory_profile.memory_search('user_123', 'why did billing break?', threshold => 0);
