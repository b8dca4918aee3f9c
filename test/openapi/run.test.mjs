// A client that a public generator made from the document that the server serves: schedule, wait, result.
// COLSUM_URL is the server; data/a.csv is known to hold what the sums below say.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { client } from './out/client.gen.js';
import * as colsum from './out/sdk.gen.js';

client.setConfig({ baseUrl: process.env.COLSUM_URL });

test('a work, from the file to the sums', async () => {
  const files = await colsum.listFiles({ throwOnError: true });
  assert.deepEqual(files.data.files.map((f) => f.path), ['a.csv']);

  const preview = await colsum.previewFile({ query: { filepath: 'a.csv', first: 2, every: 1 }, throwOnError: true });
  assert.deepEqual(preview.data.selected, [2, 3]);

  const accepted = await colsum.scheduleWork({ body: { filepath: 'a.csv', first: 2, every: 1 }, headers: { 'Idempotency-Key': 'k1' } });
  assert.equal(accepted.response.status, 202);
  const again = await colsum.scheduleWork({ body: { filepath: 'a.csv', first: 2, every: 1 }, headers: { 'Idempotency-Key': 'k1' } });
  assert.equal(again.data.work_id, accepted.data.work_id);

  const work_id = accepted.data.work_id;
  const result = await colsum.getResult({ path: { work_id }, query: { wait: '60s' }, throwOnError: true });
  assert.equal(result.data.status, 'done');
  assert.deepEqual(result.data.results.map((r) => [r.name, r.sum, r.numeric]), [['a', 3.75, 2], ['b', -1, 1]]);

  const events = [];
  const watched = await colsum.watchWork({ path: { work_id } });
  for await (const event of watched.stream) events.push(event.status);
  assert.deepEqual(events, ['done', 'done']); // work and end

  const works = await colsum.listWorks({ query: { status: 'done' }, throwOnError: true });
  assert.equal(works.data.in_progress, 0);
  const removed = await colsum.cleanWorks({ body: { max_age: 0 }, throwOnError: true });
  assert.equal(removed.data.removed, 1);
});

test('problems come with their codes', async () => {
  const missing = await colsum.scheduleWork({ body: { filepath: 'none.csv' } });
  assert.equal(missing.response.status, 404);
  assert.equal(missing.error.code, 'file_not_found');
  const unknown = await colsum.getResult({ path: { work_id: 'none' } });
  assert.equal(unknown.error.code, 'unknown_work');
});
