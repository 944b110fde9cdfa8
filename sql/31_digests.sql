-- Digests: what a first look at a very large subject needs. A subject of less than some twenty thousand memories has none.
--
-- Who makes or changes one holds the lock of its subject, as every writer does, and sees what was committed before it got that.

-- What so many blocks of signatures count for; src/rules/src/digest.rs has the layout. The texts that were given up or
-- forgotten since are counted beside it.
create table memory_digest (
  subject_key uuid not null,
  first_block bigint not null,
  project_id uuid not null,
  last_block bigint not null,
  texts integer not null,
  gone integer not null default 0,
  model_id smallint references embedding_model,
  coded integer not null,
  head bytea not null,
  primary key (subject_key, first_block),
  foreign key (subject_key, project_id) references subject (subject_key, project_id) on delete cascade
);
comment on table memory_digest is 'What the memories of a large subject count for in a search, some thousands to a row';
comment on column memory_digest.coded is 'How many of the texts had a code of the model when the digest was made';
comment on column memory_digest.gone is 'How many of the texts were given up, forgotten or restored since: when they are many, the digest is made anew';

create table memory_digest_words (
  subject_key uuid not null,
  bucket smallint not null,
  first_block bigint not null,
  project_id uuid not null,
  places bytea not null,
  primary key (subject_key, bucket, first_block),
  foreign key (subject_key, project_id) references subject (subject_key, project_id) on delete cascade,
  foreign key (subject_key, first_block) references memory_digest (subject_key, first_block) on delete cascade
) with (toast_tuple_target = 8160);
alter table memory_digest_words alter column places set storage external;
comment on table memory_digest_words is 'Which memories of a large subject have which words, by their hashes';

-- A piece fills a page, and is read where it lies: out of line the codes of a digest would be in four times as many pieces, and be
-- put together first.
create table memory_digest_codes (
  subject_key uuid not null,
  first_block bigint not null,
  piece smallint not null,
  project_id uuid not null,
  codes bytea not null,
  primary key (subject_key, first_block, piece),
  foreign key (subject_key, project_id) references subject (subject_key, project_id) on delete cascade,
  foreign key (subject_key, first_block) references memory_digest (subject_key, first_block) on delete cascade
);
alter table memory_digest_codes alter column codes set storage plain;
comment on table memory_digest_codes is 'The codes of the vectors of the memories of a large subject, some hundred to a row';

select _isolate('memory_digest');
select _isolate('memory_digest_codes');
select _isolate('memory_digest_words');

-- Makes the digest of some blocks, which are not added to any more, or makes it anew.
create function _memory_digest(key uuid, first bigint, last bigint) returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  made record;
begin
  delete from memory_digest d where d.subject_key = key and d.first_block = first;
  select d.project_id, m.* into made
  from (select (array_agg(s.project_id))[1] as project_id, array_agg((s.block - first)::integer order by s.block, s.part) as blocks,
               array_agg(s.signatures order by s.block, s.part) as signatures
        from memory_signature s where s.subject_key = key and s.block between first and last) d
  cross join lateral _digest(d.blocks, d.signatures) m;
  insert into memory_digest (subject_key, first_block, project_id, last_block, texts, model_id, coded, head)
  values (key, first, made.project_id, last, made.texts, made.model, made.coded, made.head);
  insert into memory_digest_codes (subject_key, first_block, piece, project_id, codes)
  select key, first, c.nth - 1, made.project_id, c.codes from unnest(made.codes) with ordinality c (codes, nth);
  insert into memory_digest_words (subject_key, bucket, first_block, project_id, places)
  select key, w.nth - 1, first, made.project_id, w.places from unnest(made.words) with ordinality w (places, nth);
end
$$;

-- Makes the digests that a subject lacks, at most so many, if it has so many blocks that it gets any. The last block is never in
-- one: it is added to.
create function _memories_digest(
  key uuid, at_most integer default null, blocks integer default _digest_blocks(), least_blocks integer default _digest_first()
) returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  last constant bigint := (select s.block from memory_signature s where s.subject_key = key order by s.block desc limit 1);
  first bigint := (select d.last_block + 1 from memory_digest d where d.subject_key = key order by d.first_block desc limit 1);
begin
  if first is null and last < least_blocks then
    return;
  end if;
  first := coalesce(first, 0);
  while first + blocks <= last and at_most is distinct from 0 loop
    perform _memory_digest(key, first, first + blocks - 1);
    first := first + blocks;
    at_most := at_most - 1;
  end loop;
end
$$;

-- Notes that a text counts no longer, or again. Its digest is made anew when a twentieth of what it counts is wrong; one that
-- counts few texts not as soon, lest it were made anew for nearly every one of them. Most subjects have none.
create function _memory_digest_changed(key uuid, in_block bigint) returns void
language plpgsql
as $$
declare
  first constant bigint := (select d.first_block from memory_profile.memory_digest d
                            where d.subject_key = key and d.first_block <= in_block order by d.first_block desc limit 1);
  this record;
begin
  if first is null then
    return;
  end if;
  update memory_profile.memory_digest d set gone = d.gone + 1
  where d.subject_key = key and d.first_block = first and d.last_block >= in_block
  returning d.last_block, d.gone > greatest(d.texts, 4 * (d.last_block - d.first_block + 1)) / 20 as is_old into this;
  if this.is_old then
    perform memory_profile._memory_digest(key, first, this.last_block);
  end if;
end
$$;

-- Makes those digests anew in which something of these blocks may stand that is gone: what is removed for good leaves no trace.
create function _memory_digests_cleared(key uuid, of_blocks bigint[]) returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  perform _memory_digest(key, d.first_block, d.last_block)
  from (select d.first_block, d.last_block from memory_digest d
        where d.subject_key = key and d.gone > 0
          and exists (select from unnest(of_blocks) block where block between d.first_block and d.last_block) offset 0) d;
end
$$;

-- Makes those digests of a subject anew that were made before all their texts had a vector of this model that are to have one.
create function _memories_digest_coded(key uuid, model smallint) returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  perform _memory_digest(key, d.first_block, d.last_block)
  from (select d.first_block, d.last_block from memory_digest d
        where d.subject_key = key
          and (d.model_id is distinct from model
               or d.coded < d.texts
                  - (select count(*) from (select r.text_id from embedding_refusal r
                                           where r.subject_key = key and r.model_id = model and d.coded < d.texts offset 0) r
                     join memory m on m.subject_key = key and m.id = r.text_id
                     where m.signature_block between d.first_block and d.last_block
                       and m.superseded_at is null and m.forgotten_at is null)) offset 0) d;
end
$$;
