-- Memories: the only store of facts. A profile field is a memory with a field_key; documents, chunks and messages are
-- sources; everything that an API answers is a projection of these rows.
--
-- Nothing is overwritten: a new version is a new row, the old one is marked superseded, and a relation "updates" says
-- so. A row is current while superseded_at and forgotten_at are null and forget_after has not passed.

create table memory (
  subject_key uuid not null,
  id text collate "C" not null,
  project_id uuid not null,
  content text not null,
  kind text not null default 'fact',
  is_static boolean not null default false,
  is_inference boolean not null default false,
  review_status text,
  importance real not null default 0.5,
  confidence real not null default 0.95,
  metadata jsonb not null default '{}',
  field_key text,
  field_value jsonb,
  version integer not null default 1,
  parent_id text collate "C",
  root_id text collate "C" not null,
  superseded_at timestamptz,
  superseded_by text collate "C",
  forgotten_at timestamptz,
  forget_reason text,
  forget_after timestamptz,
  source_type text not null default 'api',
  speaker text,
  conversation_id text,
  sequence integer,
  context_sequence integer,
  event_date timestamptz,
  seen_count integer not null default 1,
  last_seen_at timestamptz not null default now(),
  job_id uuid,
  slot text,
  slot_value text,
  gist bigint,
  aside boolean not null default false,
  heard integer[],
  ordinal bigint not null,
  signature_block bigint not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (subject_key, id),
  foreign key (subject_key, project_id) references subject (subject_key, project_id) on delete cascade,
  check (_is_memory(id, content, kind, review_status, importance, confidence, jsonb_typeof(metadata), version, source_type, field_key, slot))
);
comment on table memory is 'What is known about each subject, with every earlier version';
comment on column memory.field_key is 'The profile field that a memory of kind profile_field states';
comment on column memory.context_sequence is 'Another turn of the conversation whose words it holds: the question that it answers, or where somebody or something is named that it speaks of';
comment on column memory.slot is 'What it says of which there is one, such as home or employer: a second value contradicts the first';
comment on column memory.gist is 'A hash that statements share that say the same or contradict each other';
comment on column memory.aside is 'Said by the subject or another speaker, of other things: found by a search, and no part of the profile';
comment on column memory.heard is 'Hashes of the words of the turn that it was drawn from and of the turn before: a search finds it by these as well, a little';
comment on column memory.signature_block is 'The block of memory_signature that holds, or last held, what a search reads of it';
comment on column memory.ordinal is 'The place in the order of writing, in microseconds: neighbours of a text tell what it is about';

-- What memories are looked up by, besides their ids. Nothing is computed here that would take long: the cost keeps the planner from
-- every plan that compares memories one by one, however few it takes them to be. It may know of none: a table that was analyzed
-- while a transaction filled it has pages, but no rows that anybody sees. Of functions that are not leakproof, row security
-- would keep the index from its users.
create function _checksum(content text) returns text
language internal immutable strict leakproof parallel safe cost 10000
as 'md5_text';
create function _gist_key(gist bigint) returns bigint
language internal immutable strict leakproof parallel safe cost 10000
as 'int8up';

-- Which of these a query takes must not depend on statistics, which a session that fills an empty table does not have: for all
-- the planner knows then, any index that begins with the subject finds one row. Between indexes that look alike to it, it
-- takes the youngest. So each comes after those that could be mistaken for it, and says what it is not for.
create index memory_current on memory (subject_key, created_at)
  where superseded_at is null and forgotten_at is null;
create index memory_expiry on memory (forget_after)
  where forget_after is not null and field_key is null and superseded_at is null and forgotten_at is null;
create index memory_forgotten on memory (forgotten_at) where forgotten_at is not null and superseded_at is null;
-- The condition is put so that only those who look for a text by its checksum match it: others would take this for an index as good
-- as the primary key.
create index memory_content on memory (subject_key, (_checksum(content) collate "C"))
  where (superseded_at is null) is true;
create index memory_field_history on memory (subject_key, field_key, created_at) where field_key is not null;
create unique index memory_profile_field on memory (subject_key, field_key)
  where field_key is not null and superseded_at is null and forgotten_at is null;
create unique index memory_slot on memory (subject_key, slot)
  where slot is not null and superseded_at is null and forgotten_at is null;
create index memory_gist on memory (subject_key, _gist_key(gist))
  where gist is not null and superseded_at is null and forgotten_at is null;

create table memory_relation (
  subject_key uuid not null,
  from_id text collate "C" not null,
  to_id text collate "C" not null,
  relation text not null check (relation in ('updates', 'extends', 'derives', 'supports', 'duplicates', 'related')),
  project_id uuid not null,
  reason text,
  created_at timestamptz not null default now(),
  primary key (subject_key, from_id, to_id, relation),
  foreign key (subject_key, project_id) references subject (subject_key, project_id) on delete cascade,
  foreign key (subject_key, from_id) references memory (subject_key, id) on delete cascade,
  foreign key (subject_key, to_id) references memory (subject_key, id) on delete cascade
);
create index memory_relation_to on memory_relation (subject_key, to_id);
comment on table memory_relation is 'How memories relate; from_id is the newer one, which updates, extends or derives from to_id';

create table decision (
  subject_key uuid not null,
  id bigint generated always as identity,
  project_id uuid not null,
  memory_id text collate "C" not null,
  decision text not null check (decision in
    ('reinforced', 'superseded', 'extended', 'derived', 'contradicted', 'rejected', 'forgotten', 'expired', 'restored')),
  reason text not null,
  other_id text collate "C",
  content text,
  details jsonb not null default '{}',
  job_id uuid,
  created_at timestamptz not null default clock_timestamp(),
  undone_at timestamptz,
  primary key (subject_key, id),
  foreign key (subject_key, project_id) references subject (subject_key, project_id) on delete cascade,
  foreign key (subject_key, memory_id) references memory (subject_key, id) on delete cascade
);
create index decision_of_memory on decision (subject_key, memory_id);
comment on table decision is 'What was decided about each memory when another one came, and why; memory_undo() takes it back';
comment on column decision.other_id is 'The memory that gave the occasion: the one that was replaced, extended, or that denies it';
comment on column decision.content is 'The text that was decided upon, where no memory of its own holds it';
comment on column decision.details is 'What it takes to undo it';

-- Embedding models and vectors ------------------------------------------------------------------------------------------

create table embedding_model (
  id smallint generated always as identity primary key,
  name text not null unique check (name ~ '^[!-~]{1,200}$'),
  dimension integer not null check (dimension between 1 and 16000),
  sha256 text,
  scoring jsonb not null default '{}' check (_check_scoring(scoring)),
  created_at timestamptz not null default now()
);
comment on column embedding_model.scoring is
  'Weights and calibration fitted for this model, where they differ from those for all-MiniLM-L6-v2; the setting scoring of a project goes before them';
comment on table embedding_model is 'Embedding models whose vectors this database holds';
comment on column embedding_model.sha256 is 'Checksum of the checkpoint: vectors of another checkpoint are not comparable; NULL for a remote model, of which its name must do';

-- Vectors stand in a table of their own, and a row of it in one piece: the limit above which PostgreSQL moves values out
-- of line, 2 kB, lies just below a vector with its token codes, and fetching them back makes every read dearer.
create table memory_embedding (
  subject_key uuid not null,
  model_id smallint not null references embedding_model,
  memory_id text collate "C" not null,
  project_id uuid not null,
  code bytea not null,
  embedding halfvec not null,
  tokens bytea not null,
  -- Whoever deletes a memory looks for its vectors of all models; behind the model they would be looked for among all of the subject's.
  primary key (subject_key, memory_id, model_id),
  foreign key (subject_key, project_id) references subject (subject_key, project_id) on delete cascade,
  foreign key (subject_key, memory_id) references memory (subject_key, id) on delete cascade
) with (toast_tuple_target = 8160);
alter table memory_embedding alter column tokens set storage external;
-- Whose memories come nearest to a question, where all subjects of a project are too many to read.
create index memory_embedding_nearest on memory_embedding
  using scoped_vector (project_id, model_id, embedding scoped_halfvec_cosine_ops);
comment on table memory_embedding is 'The meaning of each memory as a vector, per embedding model';
comment on column memory_embedding.code is 'The signs of the vector, a bit each, and one over the sum of its absolute values, for estimates of the cosine';
comment on column memory_embedding.tokens is 'The signs of the vector of every token of the text, a bit each, for late interaction';

-- What a search reads of every current memory, some to a block; src/rules/src/signature.rs has the layout. The blocks
-- lie in the primary key, subject by subject, so a search reads them in one go and never looks into the table itself
-- once that has been vacuumed. Part 0 of a block describes memories, further parts hold what is too long for it.
create table memory_signature (
  subject_key uuid not null,
  block bigint not null,
  part smallint not null,
  project_id uuid not null,
  signatures bytea not null,
  -- Nothing is written between the blocks of a subject, so no room is left for it.
  primary key (subject_key, block, part) include (project_id, signatures) with (fillfactor = 100),
  foreign key (subject_key, project_id) references subject (subject_key, project_id) on delete cascade
);
alter table memory_signature alter column signatures set storage plain;
comment on table memory_signature is 'The words of the current memories, and what else a search scores';

-- Without it, a text that a remote model does not take would be sent again with every new one.
create table embedding_refusal (
  subject_key uuid not null,
  model_id smallint not null references embedding_model,
  text_id text collate "C" not null,
  project_id uuid not null,
  digest text not null,
  reason text not null,
  created_at timestamptz not null default now(),
  primary key (subject_key, model_id, text_id),
  foreign key (subject_key, project_id) references subject (subject_key, project_id) on delete cascade
);
comment on table embedding_refusal is 'Memories and chunks that a remote embedding model will not take: they are found by their words';
comment on column embedding_refusal.digest is 'Checksum of the text: under the id of a chunk another one may come to stand';

select _isolate('memory');
select _isolate('memory_relation');
select _isolate('decision');
select _isolate('memory_embedding');
select _isolate('memory_signature');
select _isolate('embedding_refusal');
