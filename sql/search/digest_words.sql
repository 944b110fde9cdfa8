-- Where the words of a question stand. $1 subject key, $2 the buckets of the words
select w.first_block, w.bucket, w.places
from memory_profile.memory_digest_words w
where w.subject_key = $1 and w.bucket = any ($2)
