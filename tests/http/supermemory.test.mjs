// Seeds 000 and 004 through the real SDK of npm, and their fetch() examples, verbatim but for the host and the key.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import test from 'node:test';
import Supermemory from 'supermemory';

const { BASE_URL, API_KEY, OTHER_KEY } = process.env;
const client = new Supermemory({ apiKey: API_KEY, baseURL: BASE_URL });
const facts = [
  { content: 'Grace is a compiler engineer at the navy', isStatic: true, metadata: { team: 'compilers' } },
  { content: 'Grace is preparing a talk about nanoseconds', metadata: { team: 'talks' } },
];

async function container() {
  const containerTag = `npm_${randomUUID()}`;
  const created = await client.post('/v4/memories', { body: { containerTag, memories: facts } });
  return { containerTag, memories: created.memories };
}

const hasStatus = (status) => (error) => error instanceof Supermemory.APIError && error.status === status && 'error' in error.error;

test('profile, with and without a search', async () => {
  const { containerTag } = await container();
  const plain = await client.profile({ containerTag });
  assert.deepEqual(plain.profile, { ...plain.profile, static: [facts[0].content], dynamic: [facts[1].content] });
  assert.equal('searchResults' in plain, false);
  const searched = await client.profile({ containerTag, q: facts[1].content });
  assert.equal(searched.searchResults.results[0].memory, facts[1].content);
  assert.equal(typeof searched.searchResults.timing, 'number');
});

test('search for memories', async () => {
  const { containerTag, memories } = await container();
  const { results, total } = await client.search.memories({ q: facts[0].content, containerTag, limit: 1 });
  assert.equal(total, 1);
  assert.equal(results[0].id, memories[0].id);
  assert.ok(results[0].similarity > 0.9);
  const filters = { AND: [{ key: 'team', value: 'talks', negate: false }] };
  const filtered = await client.search.memories({ q: 'Grace', containerTag, threshold: 0, filters });
  assert.deepEqual(filtered.results.map((result) => result.memory), [facts[1].content]);
});

test('update and forget a memory', async () => {
  const { containerTag, memories } = await container();
  const updated = await client.memories.updateMemory({ containerTag, id: memories[1].id, newContent: 'Grace gave her talk about nanoseconds' });
  assert.equal(updated.version, 2);
  assert.equal(updated.parentMemoryId, memories[1].id);
  const forgotten = await client.memories.forget({ containerTag, id: updated.id, reason: 'over' });
  assert.equal(forgotten.forgotten, true);
  assert.deepEqual((await client.profile({ containerTag })).profile.dynamic, []);
});

test('forgetting twice is a conflict that is not tried again', async () => {
  const { containerTag, memories } = await container();
  await client.memories.forget({ containerTag, id: memories[0].id });
  const begin = performance.now();
  await assert.rejects(client.memories.forget({ containerTag, id: memories[0].id }), hasStatus(409));
  assert.ok(performance.now() - begin < 450);
});

test('add, read, list and delete a document', async () => {
  const containerTag = `npm_${randomUUID()}`;
  const { id } = await client.add({ content: 'The museum opens at nine and closes at five.', containerTag });
  let document;
  for (let tries = 0; tries < 600 && !['done', 'failed'].includes(document?.status); tries++) {
    document = await client.documents.get(id);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.equal(document.status, 'done');
  const listed = await client.documents.list({ containerTags: [containerTag] });
  assert.deepEqual(listed.memories.map((entry) => entry.id), [id]);
  await client.documents.delete(id);
  await assert.rejects(client.documents.get(id), hasStatus(404));
});

test('errors are the SDK\'s own classes', async () => {
  await assert.rejects(client.profile({ containerTag: 'nobody_has_this' }), Supermemory.NotFoundError);
  await assert.rejects(client.profile({ containerTag: 'not a tag' }), Supermemory.BadRequestError);
  await assert.rejects(client.search.memories({ q: '' }), hasStatus(400));
  const stranger = new Supermemory({ apiKey: 'wrong', baseURL: BASE_URL });
  await assert.rejects(stranger.profile({ containerTag: 'x' }), Supermemory.AuthenticationError);
});

test('another project sees nothing', async () => {
  const { containerTag } = await container();
  const other = new Supermemory({ apiKey: OTHER_KEY, baseURL: BASE_URL });
  await assert.rejects(other.profile({ containerTag }), hasStatus(404));
  assert.equal((await other.search.memories({ q: facts[0].content, threshold: 0 })).total, 0);
});

test('the fetch example of the profile page', async () => {
  await client.post('/v4/memories', { body: { containerTag: 'user_123', memories: [{ content: 'The deployment failed yesterday' }] } });
  const response = await fetch(`${BASE_URL}/v4/profile`, {
    method: 'POST',
    headers: {
      'Authorization': `Bearer ${API_KEY}`,
      'Content-Type': 'application/json'
    },
    body: JSON.stringify({
      containerTag: 'user_123',
      q: 'deployment errors yesterday'
    })
  });
  const data = await response.json();
  assert.ok(Array.isArray(data.profile.static));
  assert.ok(Array.isArray(data.searchResults.results));
});

test('the fetch example of the search page', async () => {
  const url = `${BASE_URL}/v4/search`;
  const options = {
    method: 'POST',
    headers: {Authorization: `Bearer ${API_KEY}`, 'Content-Type': 'application/json'},
    body: '{"q":"machine learning concepts"}'
  };
  const response = await fetch(url, options);
  const data = await response.json();
  assert.equal(response.status, 200);
  assert.equal(data.total, data.results.length);
  assert.equal(typeof data.timing, 'number');
});
