-- What the rule book promises of :'subject', whatever the order of its writes; a row for each breach.
\pset tuples_only on
\pset format unaligned
WITH m AS (SELECT * FROM memory_profile.memory WHERE subject_key = memory_profile.subject_key(:'subject')),
     d AS (SELECT * FROM memory_profile.decision WHERE subject_key = memory_profile.subject_key(:'subject')),
     r AS (SELECT * FROM memory_profile.memory_relation WHERE subject_key = memory_profile.subject_key(:'subject')),
     stands AS (SELECT * FROM m WHERE superseded_at IS NULL AND forgotten_at IS NULL)
SELECT 'two values of ' || coalesce(field_key, slot) FROM stands WHERE coalesce(field_key, slot) IS NOT NULL GROUP BY field_key, slot HAVING count(*) > 1
UNION ALL
SELECT 'two ends of the chain of ' || root_id FROM m WHERE superseded_at IS NULL GROUP BY root_id HAVING count(*) > 1
UNION ALL
SELECT 'a version given twice in the chain of ' || root_id FROM m GROUP BY root_id HAVING count(*) <> count(DISTINCT version)
UNION ALL
SELECT 'a gap in the chain of ' || root_id FROM m GROUP BY root_id HAVING max(version) <> count(*)
UNION ALL
SELECT 'no parent: ' || id FROM m WHERE version > 1
  AND NOT EXISTS (SELECT FROM m p WHERE p.id = m.parent_id AND p.superseded_by = m.id AND p.superseded_at = m.created_at AND p.version = m.version - 1)
UNION ALL
SELECT 'no relation: ' || id FROM m WHERE version > 1
  AND NOT EXISTS (SELECT FROM r WHERE r.from_id = m.id AND r.to_id = m.parent_id AND r.relation = 'updates' AND r.reason IS NOT NULL)
UNION ALL
SELECT 'no decision for the version ' || id FROM m WHERE version > 1
  AND NOT EXISTS (SELECT FROM d WHERE d.memory_id = m.id AND d.decision IN ('superseded', 'restored'))
UNION ALL
SELECT 'forgotten without a decision: ' || id FROM m WHERE forgotten_at IS NOT NULL
  AND NOT EXISTS (SELECT FROM d WHERE d.memory_id = m.id AND d.decision IN ('forgotten', 'contradicted', 'expired') AND d.created_at >= m.created_at)
UNION ALL
SELECT 'ended before it began: ' || id FROM m WHERE superseded_at < created_at OR forgotten_at < created_at
UNION ALL
SELECT 'the same said twice: ' || min(content) FROM stands WHERE field_key IS NULL AND content ~ '^User (likes|enjoys|is fond of)'
  AND NOT EXISTS (SELECT FROM d WHERE d.undone_at IS NOT NULL) GROUP BY gist HAVING count(*) > 1
UNION ALL
SELECT 'seen ' || seen_count || ' times, counted ' || counted || ': ' || id
FROM (SELECT m.id, m.seen_count, 1 + count(d.id) FILTER (WHERE d.decision = 'reinforced' AND d.undone_at IS NULL) AS counted
      FROM m LEFT JOIN d ON d.memory_id = m.id WHERE m.version = 1 GROUP BY m.id, m.seen_count) c
WHERE seen_count <> counted
UNION ALL
SELECT 'a reinforcement was lost: ' || added || ' adds, ' || kept || ' kept'
FROM (SELECT (SELECT count(*) FROM done WHERE done.subject = :'subject' AND what = 'add') AS added,
             (SELECT count(*) FROM m WHERE version = 1 AND field_key IS NULL AND job_id IS NULL AND content ~ '^User (likes|enjoys|is fond of)')
             + (SELECT count(*) FROM d WHERE decision = 'reinforced' AND job_id IS NULL)
             - (SELECT count(*) FROM d WHERE decision = 'reinforced' AND job_id IS NULL AND undone_at IS NOT NULL AND content IS NOT NULL) AS kept) c
WHERE added <> kept
UNION ALL
SELECT 'the profile of a moment past has two values of ' || a.field_key || ' or one that was not'
FROM m a JOIN m b ON a.field_key = b.field_key AND a.id < b.id
WHERE tstzrange(a.created_at, least(a.superseded_at, a.forgotten_at)) && tstzrange(b.created_at, least(b.superseded_at, b.forgotten_at))
UNION ALL
SELECT 'a job is not done: ' || status FROM memory_profile.jobs(:'subject') WHERE status <> 'done';
