-- Profile fields: reading, the supersede rule, bad input, history.
\set SHOW_CONTEXT never
set search_path = memory_profile, public;

-- a subject that nobody has heard of has an empty profile, and reading does not create it
select profile_get('ann');
select profile_get('ann', 'fancy');
select subject_exists('ann');

-- the seed's own example
select profile_patch('ann', '[
  {"field_key": "name", "value": "Sarah Chen", "confidence": 1.0},
  {"field_key": "timezone", "value": "America/New_York"}
]');
select profile_get('ann');
select key, value - 'updated_at' - 'memory_id' as value,
       value ->> 'updated_at' ~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$' as iso,
       value ->> 'memory_id' ~ '^mem_[0-9A-Za-z]{22}$' as id
from jsonb_each(profile_get('ann', 'full')) order by key;

-- equal confidence: the newer wins; lower is refused; higher wins; manual wins over all and yields to manual only
select profile_patch('ann', '[{"field_key": "timezone", "value": "Europe/Berlin"}]');
select profile_patch('ann', '[{"field_key": "timezone", "value": "Asia/Tokyo", "confidence": 0.5}]');
select profile_patch('ann', '[{"field_key": "timezone", "value": "Asia/Tokyo", "confidence": 0.99}]');
select profile_patch('ann', '[{"field_key": "timezone", "value": "Asia/Seoul", "confidence": 1}]');
select profile_patch('ann', '[{"field_key": "timezone", "value": "Asia/Tokyo", "confidence": 0.99}]');
select profile_patch('ann', '[{"field_key": "timezone", "value": "Asia/Kolkata", "confidence": 1.0}]');
select profile_get('ann') -> 'timezone' as timezone;

-- what a field was at each step stays on record, and rejections are events
select version, content, source_type, confidence, superseded_at is not null as superseded
from memory where subject_key = subject_key('ann') and field_key = 'timezone' order by version;
select type, data -> 'reason' as reason, data -> 'value' as value from event
where subject_key = subject_key('ann') and type = 'profile.rejected' order by id;

-- items that are skipped do not hold up their siblings
select jsonb_pretty(profile_patch('ann', '[
  {"field_key": "favourite_colour", "value": "blue"},
  {"field_key": "email", "value": "not an address"},
  {"field_key": "email", "value": null},
  {"field_key": "email", "value": "  "},
  {"field_key": "email", "value": "ann@example.com", "confidence": 1.5},
  {"field_key": "email", "value": "ann@example.com", "confidence": "high"},
  {"field_key": "email", "value": "ann@example.com", "confidence": null},
  {"field_key": "language", "value": "English"},
  {"field_key": "language", "value": "German"}
]'));
select profile_get('ann');
select profile_patch('ann', '[]');

-- malformed updates change nothing at all
select profile_patch('ann', null);
select profile_patch('ann', '{"field_key": "name", "value": "X"}');
select profile_patch('ann', '[{"field_key": "name", "value": "X"}, {"field_key": "email"}]');
select profile_patch('ann', '[{"field_key": "name", "value": "X"}, {"value": 1}]');
select profile_patch('ann', '[{"field_key": "name", "value": "X"}, 7]');
select profile_get('ann') -> 'name' as name;

-- subjects: any text, trimmed; nothing that cannot be one
select profile_patch('  user-123_test.email@domain.com ', '[{"field_key": "name", "value": "Té"}]');
select profile_get('user-123_test.email@domain.com');
select profile_patch('', '[]');
select profile_patch(null, '[]');
select profile_patch(E'a\nb', '[]');
select profile_patch(repeat('x', 256), '[]');

-- deletion is soft, is idempotent, and brings nothing back; after it any confidence may be written
select profile_delete('ann', 'timezone');
select profile_delete('ann', 'timezone');
select profile_get('ann') ? 'timezone' as there;
select profile_patch('ann', '[{"field_key": "timezone", "value": "Europe/Paris", "confidence": 0.1}]');
select profile_get('ann') -> 'timezone' as timezone;
select count(*) filter (where forgotten_at is not null) as forgotten, count(*) as all_versions
from memory where subject_key = subject_key('ann') and field_key = 'timezone';

-- the profile at a moment past
do $$
begin
  perform memory_profile.profile_patch('bob', '[{"field_key": "name", "value": "Bob"}]');
end
$$;
create temporary table moment as select clock_timestamp() as before_change;
select profile_patch('bob', '[{"field_key": "name", "value": "Robert"}, {"field_key": "email", "value": "rob@example.com"}]');
select profile_get('bob', 'simple', (select before_change from moment)) as then, profile_get('bob') as now;
select profile_get('bob', 'simple', '2000-01-01');
select profile_delete('bob', 'name');
select profile_get('bob') as now;

-- the schema: four system fields, and what the project adds
select jsonb_pretty(jsonb_build_object('version', s -> 'version', 'extraction_mode', s -> 'extraction_mode', 'fields',
  (select jsonb_agg(jsonb_build_object('key', f -> 'key', 'type', f -> 'type', 'required', f -> 'required')) from jsonb_array_elements(s -> 'fields') f)))
from profile_schema_get() s;
begin;
select profile_schema_set('[
  {"key": "plan", "type": "select", "enum_values": ["free", "pro"], "label": "subscription plan"},
  {"key": "age", "type": "number"},
  {"key": "vip", "type": "boolean"},
  {"key": "birthday", "type": "date"},
  {"key": "site", "type": "url"},
  {"key": "phone", "type": "phone"},
  {"key": "tags", "type": "array"}
]') -> 'version' as version;
select profile_patch('cleo', '[
  {"field_key": "plan", "value": "gold"}, {"field_key": "plan", "value": "pro"},
  {"field_key": "age", "value": "old"}, {"field_key": "age", "value": 41},
  {"field_key": "vip", "value": true},
  {"field_key": "birthday", "value": "1985-02-30"}, {"field_key": "birthday", "value": "1985-02-28"},
  {"field_key": "site", "value": "javascript:alert(1)"}, {"field_key": "site", "value": "https://example.com/"},
  {"field_key": "phone", "value": "+49 30 1234567"},
  {"field_key": "tags", "value": ["a", "b"]}
]');
select profile_get('cleo');
select section, memory from profile_memories('cleo') order by memory;
select profile_schema_set('[]', 'manual') -> 'version' as version;
rollback;
select profile_schema_set('{}');
select profile_schema_set('[{"key": "name", "type": "text"}]');
select profile_schema_set('[{"key": "x", "type": "colour"}]');
select profile_schema_set('[{"key": "x", "type": "select"}]');
select profile_schema_set('[{"key": "x", "pattern": "("}]');
select profile_schema_set('[{"key": "a b"}]');
select profile_schema_set('[{"key": "x", "size": 3}]');
select profile_schema_set('[]', 'sometimes');

-- a project may let unknown fields in
begin;
select project_configure('{"unknown_fields": "create"}') -> 'unknown_fields' as setting;
select profile_patch('ann', '[{"field_key": "favourite_colour", "value": "blue"}, {"field_key": "scores", "value": [1, 2]}]');
select profile_get('ann') -> 'favourite_colour' as colour, profile_get('ann') -> 'scores' as scores;
rollback;

select profile_erase('ann') ->> 'erased' as ann, profile_erase('bob') ->> 'erased' as bob,
       profile_erase('user-123_test.email@domain.com') ->> 'erased' as other;
