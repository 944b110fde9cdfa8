-- One subject with :memories memories.
SELECT count(*)
FROM memory_profile.memories_add('subject_' || :memories,
  (SELECT jsonb_agg(jsonb_build_object('content', bench.memory(n)) ORDER BY n) FROM generate_series(0, :memories - 1) n));
