-- A small sample: what `make run` loads, and a first look at the functions.

select memory_profile.profile_patch('user_123', '[
  {"field_key": "name", "value": "Sarah Chen", "confidence": 1.0},
  {"field_key": "email", "value": "sarah@example.com", "confidence": 1.0},
  {"field_key": "timezone", "value": "America/New_York"}
]');

select memory_profile.memory_add('user_123', 'Sarah is a software engineer who works on payments', is_static => true);
select memory_profile.memory_add('user_123', 'Sarah prefers short answers with code', is_static => true, kind => 'preference');
select memory_profile.memory_add('user_123', 'Sarah is moving the billing service to PostgreSQL', metadata => '{"project": "billing"}');
select memory_profile.memory_add('user_123', 'The billing outage of last week was caused by an expired certificate', metadata => '{"project": "billing"}', kind => 'event');

-- Text is learned from after commit: by the background worker where it is preloaded, and by this call anywhere.
select memory_profile.learn('user_456', 'My name is Tomás. I live in Lisbon and I speak Portuguese. I am planning a trip to Japan in May.');
call memory_profile.run_jobs();
