// A stand-in for a cluster: the page's files and an API whose state a test sets as it likes, so that every state the page can
// be in is one line away. It sums nothing. `node fake.mjs` serves a living example for working on the page.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../coordinator/web/', import.meta.url));
const types = { '.html': 'text/html; charset=utf-8', '.css': 'text/css', '.js': 'text/javascript', '.svg': 'image/svg+xml' };

/** The page's policy, as web.go has it. */
export const policy = /const Policy = ([\s\S]*?)\n\n/.exec(readFileSync(join(root, 'web.go'), 'utf8'))[1]
  .split('\n').map((part) => /"(.*)"/.exec(part)[1]).join('');

const problems = { no_leader: 503, storage_unavailable: 503, unknown_work: 404, file_not_found: 404, bad_request: 400, too_many_works: 429, internal: 500 };
const over = (w) => ['done', 'failed', 'cancelled'].includes(w.status);

/** A number whose text JSON.stringify must keep: see stringify. */
class Exact { constructor(text) { this.text = text; } }
export const exact = (text) => new Exact(text);

function stringify(value) {
  const marks = [];
  const json = JSON.stringify(value, (k, v) => (v instanceof Exact ? `\u0001${marks.push(v.text) - 1}\u0001` : v));
  return json.replace(/"\\u0001(\d+)\\u0001"/g, (_, i) => marks[i]);
}

/** work makes a result document; given members replace the usual ones. */
export function work(id, given = {}) {
  const status = given.status ?? 'done';
  const size = given.size ?? 5_843_210_987;
  const results = given.results ?? (status === 'queued' ? [] : sums(10));
  const part = status === 'done' ? 1 : status === 'queued' ? 0 : 0.62;
  return {
    work_id: id, filepath: 'sensors/2026-11.csv', status,
    ctime: new Date(Date.now() - 42_000).toISOString(), mtime: new Date(Date.now() - 38_500).toISOString(), error: null,
    progress: { bytes_done: Math.round(size * part), bytes_total: status === 'queued' ? 0 : size, tasks_done: Math.round(85 * part), tasks_total: status === 'queued' ? 0 : 85, rows: Math.round(3e6 * part), bytes_per_second: status === 'running' ? 1.24e9 : 0 },
    file: status === 'queued' ? null : { size, version: '"9b2cf535f27731c974343645a3985328"' },
    dialect: status === 'queued' ? null : { delimiter: ',', quote: '"', decimal: '.', comment: null, header: true, newline: '\n', bom: false, compression: null },
    rows: Math.round(3e6 * part), columns_total: status === 'queued' ? 0 : 101, results, total: exact('14987214.0917361158290043'),
    bad_cells: [], warnings: [], ...(status === 'done' ? { digest: 'sha256:5d1f0c4b1a2e9f6377a0c1de4ab8f2096f0e3c5d7781a94e2fb0c6d3a8e15b42' } : {}),
    ...Object.fromEntries(Object.entries(given).filter(([k]) => k !== 'size')),
  };
}

/** sums makes n result columns that look like sums of uniform decimals. */
export function sums(n, every = 10) {
  return Array.from({ length: n }, (_, i) => {
    const wave = 1.5e6 + Math.round(9e5 * Math.sin(i / 2.3) * Math.cos(i / 7));
    return { column: (i + 1) * every, name: `col${(i + 1) * every - 1}`, sum: exact(`${wave}.${digits(i).replace(/0$/, '7')}`), mean: exact(`0.${String(wave).slice(0, 4)}48512093147`), numeric: 3_000_000, empty: 0, invalid: 0, missing: 0 };
  });
}

// digits are 16 digits that look random and are the same each time.
function digits(seed) {
  const part = (n) => String((Math.imul(n + 1, 2654435761) ^ Math.imul(n + 77, 40503 * 65537)) >>> 0).padStart(10, '0').slice(2);
  return part(seed) + part(seed * 31 + 7);
}

/** start serves a fake cluster on 127.0.0.1; port 0 is any. */
export async function start(port = 0) {
  const now = () => Math.floor(Date.now() / 1000);
  const fake = {
    works: [], // result documents, newest first
    files: [
      { path: 'data.csv', size: 5_843_210_987, time: now() - 7200 }, { path: 'sensors/2026-10.csv', size: 5_710_553_112, time: now() - 86400 * 9 },
      { path: 'sensors/2026-11.csv', size: 5_843_210_987, time: now() - 7200 }, { path: 'tiny.csv', size: 912, time: now() - 60 },
    ],
    fail: {}, // call -> problem code: {list_works: 'no_leader'}; '*' is every call
    streams: true, // false: watch_work answers 502, as behind a proxy that knows no streams
    holding: false, // requests to the API are left unanswered until release()
    calls: [], // {call, query, body, key} of every request
    preview: null,
    cluster: {
      version: '1.0.0', node: 'n1', leader: 'n1', raft: { term: 3, last: 1842, commit: 1842, applied: 1842, snapshot: 1024 },
      nodes: ['n1', 'n2', 'n3'].map((id, i) => ({ id, raft: `10.0.0.${i + 1}:5001`, http: `10.0.0.${i + 1}:5000`, rpc: `10.0.0.${i + 1}:5002`, role: i === 0 ? 'leader' : 'follower', voter: true, version: '1.0.0', last_contact: i === 1 ? null : new Date().toISOString(), reachable: null })),
      workers: [],
    },
    /** put adds or replaces a work and tells those who watch it. */
    put(w) {
      const at = fake.works.findIndex((o) => o.work_id === w.work_id);
      if (at < 0) fake.works.unshift(w);
      else fake.works[at] = w;
      for (const s of watchers) if (s.id === w.work_id) s.send(w);
      return w;
    },
    /** watching is how many streams are open. */
    watching: () => watchers.size,
    /** cut breaks every open stream, as when a node dies. */
    cut() { for (const s of [...watchers]) s.response.destroy(); },
    release() { fake.holding = false; for (const go of held.splice(0)) go(); },
  };
  const watchers = new Set();
  const held = [];

  const api = {
    list_files({ query }) {
      const list = fake.files.filter((f) => f.path.startsWith(query.get('prefix') ?? '') && f.path > (query.get('after') ?? ''));
      const limit = Number(query.get('limit') ?? 1000);
      return { files: list.slice(0, limit), next: list.length > limit ? list[limit - 1].path : null };
    },
    list_works({ query }) {
      const counts = { queued: 0, running: 0, done: 0, failed: 0, cancelled: 0 };
      for (const w of fake.works) counts[w.status]++;
      const list = fake.works.filter((w) => !query.get('status') || w.status === query.get('status'));
      const from = query.get('after') ? list.findIndex((w) => w.work_id === query.get('after')) + 1 : 0;
      const limit = Number(query.get('limit') ?? 100);
      const page = list.slice(from, from + limit);
      return {
        in_progress: counts.queued + counts.running, counts, tasks: { leased: 4, pending: 28, done: 53 },
        works: page.map(({ work_id, filepath, status, ctime, mtime, error, progress }) => ({ work_id, filepath, status, ctime, mtime, error, progress })),
        next: list.length > from + limit ? page.at(-1).work_id : null,
      };
    },
    get_result: ({ id }) => fake.works.find((w) => w.work_id === id) ?? 'unknown_work',
    cancel_work({ id }) {
      const w = fake.works.find((o) => o.work_id === id);
      if (!w) return 'unknown_work';
      if (!over(w)) fake.put({ ...w, status: 'cancelled', mtime: new Date().toISOString() });
      return { work_id: id, status: fake.works.find((o) => o.work_id === id).status };
    },
    clean_works() {
      const before = fake.works.length;
      fake.works = fake.works.filter((w) => !over(w));
      return { removed: before - fake.works.length };
    },
    schedule_work({ body, key }) {
      const id = `0199e0a4-7c1e-7a53-9c44-${key.slice(0, 12)}`;
      if (!fake.works.some((w) => w.work_id === id)) fake.put(work(id, { filepath: body.filepath, status: 'queued', ctime: new Date().toISOString() }));
      return { work_id: id };
    },
    preview_file({ query }) {
      if (!fake.files.some((f) => f.path === query.get('filepath'))) return 'file_not_found';
      if (fake.preview) return fake.preview;
      const total = 101;
      const every = Number(query.get('every') ?? 10);
      const first = Number(query.get('first') ?? every);
      const listed = query.get('columns')?.split(',').map((c) => (/^\s*\d+\s*$/.test(c) ? Number(c) : Number(c.trim().slice(3)) + 1));
      const selected = listed ?? Array.from({ length: total }, (_, i) => i + 1).filter((c) => c >= first && (c - first) % every === 0);
      const start = 1763900000;
      return {
        filepath: query.get('filepath'), size: 5_843_210_987, version: '"x"', columns_total: total,
        dialect: { delimiter: ',', quote: '"', decimal: '.', comment: null, header: true, newline: '\n', bom: false, compression: null },
        header: ['', ...Array.from({ length: total - 1 }, (_, i) => `col${i + 1}`)],
        records: Array.from({ length: 20 }, (_, r) => [new Date((start + r) * 1000).toISOString().slice(0, 19), ...Array.from({ length: total - 1 }, (_, c) => `0.${digits(r * 131 + c)}`)]),
        selected, estimated_rows: 3_000_417, warnings: [],
      };
    },
    cluster: ({ query }) => (fake.cluster.leader || query.get('consistency') === 'stale' ? fake.cluster : 'no_leader'),
  };

  function refuse(response, code) {
    response.writeHead(problems[code] ?? 400, { 'Content-Type': 'application/problem+json', ...(problems[code] === 503 ? { 'Retry-After': '0' } : {}) });
    response.end(JSON.stringify({ title: code, status: problems[code], code, detail: `${code.replaceAll('_', ' ')} (fake)` }));
  }

  function stream(request, response, id) {
    const found = fake.works.find((w) => w.work_id === id);
    if (!found) return refuse(response, 'unknown_work');
    if (!fake.streams) return response.writeHead(502).end();
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    const watcher = {
      id, response,
      send(w) {
        response.write(`event: work\ndata: ${stringify(w)}\n\n`);
        if (over(w)) response.end(`event: end\ndata: ${stringify(w)}\n\n`);
      },
    };
    watchers.add(watcher);
    response.on('close', () => watchers.delete(watcher));
    watcher.send(found);
  }

  async function answer(request, response) {
    const url = new URL(request.url, 'http://fake');
    const [, first, call, id] = url.pathname.split('/');
    if (first !== 'api') {
      const name = url.pathname === '/' ? 'index.html' : url.pathname.slice(1);
      try {
        const body = readFileSync(join(root, 'static', name.replaceAll('..', '')));
        response.writeHead(200, { 'Content-Type': types[extname(name)], 'Content-Security-Policy': policy, 'X-Content-Type-Options': 'nosniff' });
        return response.end(body);
      } catch {
        return response.writeHead(404).end('no such file');
      }
    }
    let text = '';
    for await (const part of request) text += part;
    const seen = { call, query: url.searchParams, body: text ? JSON.parse(text) : undefined, key: request.headers['idempotency-key'], id: id && decodeURIComponent(id) };
    fake.calls.push(seen);
    if (fake.holding) await new Promise((resolve) => held.push(resolve));
    const code = fake.fail[call] ?? (url.searchParams.get('consistency') === 'stale' ? undefined : fake.fail['*']);
    if (code) return refuse(response, code);
    if (call === 'watch_work') return stream(request, response, seen.id);
    const body = api[call](seen);
    if (typeof body === 'string') return refuse(response, body);
    response.writeHead(call === 'schedule_work' ? 202 : 200, { 'Content-Type': 'application/json' });
    response.end(stringify(body));
  }

  const server = createServer((request, response) => answer(request, response).catch((err) => { console.error(err); response.destroy(err); }));
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  fake.url = `http://127.0.0.1:${server.address().port}/`;
  fake.close = () => new Promise((resolve) => { fake.release(); server.close(resolve); server.closeAllConnections(); });
  /** down and up: the server's port stops and starts to answer. */
  fake.down = () => new Promise((resolve) => { server.close(resolve); server.closeAllConnections(); });
  fake.up = () => new Promise((resolve) => server.listen(Number(new URL(fake.url).port), '127.0.0.1', resolve));
  return fake;
}

/** fill gives a fake cluster something of everything. */
export function fill(fake) {
  const id = (n) => `0199e0a4-7c1e-7a53-9c44-0d2f4b8f0a${String(n).padStart(2, '0')}`;
  const ago = (s) => new Date(Date.now() - s * 1000).toISOString();
  fake.put(work(id(1), { filepath: 'archive/2025-ticks.csv', ctime: ago(90_000), mtime: ago(89_000), size: 1.2e12 }));
  fake.put(work(id(2), { filepath: 's3://lab/broken quotes.csv', status: 'failed', ctime: ago(5000), mtime: ago(4900), error: { code: 'unclosed_quote', message: 'a quoted field opens at byte 1,048,577 and never closes', byte: 1048577 } }));
  fake.put(work(id(3), { filepath: 'sensors/2026-09.csv', status: 'cancelled', ctime: ago(1900), mtime: ago(1880) }));
  fake.put(work(id(4), { filepath: 'sensors/2026-10.csv', ctime: ago(660), mtime: ago(655), warnings: ['2 records are shorter than the header: their cells count as missing'], results: sums(10).map((r, i) => (i === 1 ? { ...r, invalid: 3, numeric: 2_999_995, empty: 2 } : r)), bad_cells: [{ column: 20, row: 17, byte: 35211, text: 'n/a' }, { column: 20, row: 1_200_411, byte: 2_337_581_004, text: '1,234.5' }, { column: 20, row: 2_999_998, byte: 5_843_198_114, text: '—' }] }));
  fake.put(work(id(5), { filepath: 'cold/2024.csv', status: 'running', size: 8.1e10, progress: { bytes_done: 2.2e10, bytes_total: 8.1e10, tasks_done: 310, tasks_total: 1208, rows: 11_400_000, bytes_per_second: 0, storage_unreachable_since: ago(75) } }));
  fake.put(work(id(6), { filepath: 'sensors/2026-11.csv', status: 'running' }));
  fake.put(work(id(7), { filepath: 'queue/next.csv', status: 'queued', ctime: ago(2) }));
  const lease = (n, task, done) => ({ work_id: id(n), task, since: ago(1), bytes: done, length: 67_108_864, backup: false });
  fake.cluster.workers = [
    { id: 'w1', host: 'rack1-a', version: '1.0.0', slots: 4, leaving: false, last_seen: ago(0), bytes_per_second: 6.4e8, running: [lease(6, 51, 4.1e7), lease(6, 52, 2.2e7), lease(6, 53, 6.2e6)] },
    { id: 'w2', host: 'rack1-b', version: '1.0.0', slots: 4, leaving: false, last_seen: ago(0), bytes_per_second: 6.0e8, running: [lease(6, 54, 5.5e7), lease(6, 55, 1.3e7)] },
    { id: 'w3', host: 'rack2-a', version: '1.0.0', slots: 2, leaving: true, last_seen: ago(0), bytes_per_second: 0, running: [] },
  ];
  return id;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const fake = await start(Number(process.argv[2] ?? 0));
  fill(fake);
  setInterval(() => {
    for (const w of fake.works.filter((o) => o.status === 'running' && !o.progress.storage_unreachable_since)) {
      const p = { ...w.progress, bytes_done: Math.min(w.progress.bytes_total, w.progress.bytes_done + 6e7), bytes_per_second: 1e9 + 4e8 * Math.sin(Date.now() / 9000) };
      fake.put({ ...w, progress: p, status: p.bytes_done === p.bytes_total ? 'done' : 'running', mtime: new Date().toISOString() });
    }
    for (const k of fake.cluster.workers) k.bytes_per_second = k.running.length * 2e8 * (1.2 + Math.sin(Date.now() / 9000));
  }, 500);
  console.log(fake.url);
}
