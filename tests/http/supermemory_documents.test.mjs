// Documents and search modes through the real SDK of npm.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import test from 'node:test';
import Supermemory from 'supermemory';

const { BASE_URL, API_KEY } = process.env;
const client = new Supermemory({ apiKey: API_KEY, baseURL: BASE_URL });

async function processed(id) {
  for (let tries = 0; tries < 600; tries++) {
    const document = await client.documents.get(id);
    if (['done', 'failed'].includes(document.status)) return document;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${id} is not processed`);
}

test('documents in a batch, listed, updated and deleted', async () => {
  const containerTag = `npm_${randomUUID()}`;
  const added = await client.documents.batchAdd({
    containerTag,
    documents: [{ content: 'The harbour closes in winter.', metadata: { port: 'north' } }, { content: 'The ferry runs twice a day.', customId: 'ferry' }],
  });
  assert.deepEqual([added.success, added.failed], [2, 0]);
  for (const { id } of added.results) assert.equal((await processed(id)).status, 'done');
  assert.equal((await client.documents.listProcessing({ containerTags: containerTag })).totalCount, 0);

  const filters = { OR: [{ key: 'port', value: 'NORTH', ignoreCase: true }] };
  const listed = await client.documents.list({ containerTags: [containerTag], filters, includeContent: true });
  assert.deepEqual(listed.memories.map((document) => document.content), ['The harbour closes in winter.']);
  assert.equal(listed.pagination.totalItems, 1);

  const { id } = await client.documents.update(added.results[1].id, { content: 'The ferry runs three times a day.' });
  assert.equal((await processed(id)).content, 'The ferry runs three times a day.');
  const found = await client.search.documents({ q: 'how often does the ferry run?', containerTags: [containerTag], limit: 1 });
  assert.equal(found.results[0].documentId, id);
  assert.equal(found.results[0].chunks[0].isRelevant, true);

  assert.equal((await client.documents.deleteBulk({ ids: added.results.map((result) => result.id) })).deletedCount, 2);
  await assert.rejects(client.documents.get(id), Supermemory.NotFoundError);
});

test('search over memories and passages together', async () => {
  const containerTag = `npm_${randomUUID()}`;
  await client.post('/v4/memories', { body: { containerTag, memories: [{ content: 'The lighthouse keeper is called Ines' }] } });
  const { id } = await client.add({ content: 'The lighthouse was built in 1870.', containerTag, taskType: 'superrag' });
  await processed(id);
  const search = (searchMode) => client.search.memories({ q: 'lighthouse', containerTag, threshold: 0, searchMode });
  const kinds = ({ results }) => results.map((result) => ('memory' in result ? 'memory' : 'chunk')).sort();
  assert.deepEqual(kinds(await search('memories')), ['memory']);
  assert.deepEqual(kinds(await search('documents')), ['chunk']);
  assert.deepEqual(kinds(await search('hybrid')), ['chunk', 'memory']);
  const { results } = await client.search.memories({ q: 'lighthouse', containerTag, threshold: 0, searchMode: 'documents', include: { documents: true, summaries: true } });
  assert.deepEqual(results[0].documents.map((document) => document.id), [id]);
});

test('the search of the newest SDK', async () => {
  const containerTag = `npm_${randomUUID()}`;
  await client.post('/v4/memories', { body: { containerTag, memories: [{ content: 'Hedy plays the piano' }] } });
  const { results } = await client.search({ q: 'Hedy plays the piano', containerTag });
  assert.equal(results[0].memory, 'Hedy plays the piano');
});

test('an expiry is set, inherited and cleared', async () => {
  const containerTag = `npm_${randomUUID()}`;
  const { memories: [{ id }] } = await client.post('/v4/memories', { body: { containerTag, memories: [{ content: 'The tent is lent to Ida', forgetAfter: '2099-01-01T00:00:00Z' }] } });
  const inherited = await client.memories.updateMemory({ containerTag, id, newContent: 'The tent is lent to Ida and Jo' });
  assert.equal(inherited.forgetAfter, '2099-01-01T00:00:00.000Z');
  const cleared = await client.memories.updateMemory({ containerTag, id, newContent: 'The tent is lent to Jo', forgetAfter: null });
  assert.equal(cleared.forgetAfter, null);
  const past = await client.memories.updateMemory({ containerTag, id, newContent: 'The tent is back', forgetAfter: '2020-01-01' });
  assert.equal(past.version, 4);
  assert.equal((await client.search.memories({ q: 'tent', containerTag, threshold: 0 })).total, 0);
});

test('files of text are read, any other is refused', async () => {
  const containerTag = `npm_${randomUUID()}`;
  const file = new File(['# Ann\n- Lives in Rome\n- Works at Acme\n'], 'ann.md', { type: 'text/markdown' });
  const { id } = await client.documents.uploadFile({ file, containerTag, metadata: JSON.stringify({ kind: 'notes' }) });
  const document = await processed(id);
  assert.deepEqual([document.status, document.title, document.metadata], ['done', 'Ann', { kind: 'notes' }]);
  const { profile } = await client.profile({ containerTag });
  for (const learned of ['Ann lives in Rome', 'Ann works at Acme']) assert.ok(profile.static.includes(learned), learned);
  const picture = new File([new Uint8Array([137, 80, 78, 71])], 'a.png', { type: 'image/png' });
  await assert.rejects(client.documents.uploadFile({ file: picture, containerTag }), { status: 415 });
});

test('settings are read and changed', async () => {
  const { updated } = await client.settings.update({ shouldLLMFilter: true, filterPrompt: 'Note allergies.' });
  assert.deepEqual(updated, { shouldLLMFilter: true, filterPrompt: 'Note allergies.' });
  assert.equal((await client.settings.get()).filterPrompt, 'Note allergies.');
  await assert.rejects(client.settings.update({ chunkSize: 512 }), { status: 400 });
  await client.settings.update({ filterPrompt: null });
  assert.equal((await client.settings.get()).filterPrompt, null);
});
