-- What holds of the digests of every subject, whatever was written since they were made; a row for each breach.
\pset tuples_only on
\pset format unaligned
set search_path = memory_profile, public;
with made as (
  select d.*, coalesce(lag(d.last_block) over (partition by d.subject_key order by d.first_block), -1) as before, now_is.texts as now_texts,
         (select max(s.block) from memory_signature s where s.subject_key = d.subject_key) as newest
  from memory_digest d
  cross join lateral (
    select array_agg((s.block - d.first_block)::integer order by s.block, s.part) as blocks, array_agg(s.signatures order by s.block, s.part) as signatures
    from memory_signature s where s.subject_key = d.subject_key and s.block between d.first_block and d.last_block) b
  cross join lateral _digest(b.blocks, b.signatures) now_is
)
select 'a gap before block ' || first_block from made where first_block <> before + 1
union all
select 'the block that is added to is in the digest from ' || first_block from made where last_block >= newest
union all
select 'the digest from ' || first_block || ' counts ' || texts || ' texts and notes ' || gone || ' changes, but there are ' || now_texts
from made where abs(texts - now_texts) > gone
union all
select 'too many changes in the digest from ' || first_block from made where gone > greatest(texts, 4 * (last_block - first_block + 1)) / 20
union all
select 'not every bucket: from ' || d.first_block from memory_digest d
where (select count(*) from memory_digest_words w where (w.subject_key, w.first_block) = (d.subject_key, d.first_block)) <> 64
union all
select 'codes without a model, or none of it: from ' || d.first_block from memory_digest d
where (d.model_id is null) = exists (select from memory_digest_codes c where (c.subject_key, c.first_block) = (d.subject_key, d.first_block));
