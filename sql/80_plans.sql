-- How functions are planned that are executed a thousand times.
--
-- Of a table that VACUUM has found empty the planner believes that it stays so, and reads it from end to end. The plan is kept,
-- and a session that fills the table then reads all of it for every memory that it writes: three thousand of them took fourteen
-- times as long, and the next three thousand twice as long again. Whatever these functions and those that they call look for, an
-- index leads there.
do $$
declare
  function text;
begin
  foreach function in array '{_memories_write, _memory_write, _memories_sign, _job_enqueue, _job_claim, _job_read, _job_run}'::text[] loop
    execute format('alter function %s set enable_seqscan = off', function::regproc);
    -- What can only be read from end to end, such as a sequence, then looks dear enough to be compiled.
    execute format('alter function %s set jit = off', function::regproc);
  end loop;
end
$$;
