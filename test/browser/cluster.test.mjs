// The page in a browser against real processes: three coordinators and a worker, which scripts/cluster starts, breaks and
// stops. Needs bin/colsum (make build).

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { launch, open } from './browser.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const run = promisify(execFile);
const colsum = async (...args) => (await run(join(root, 'bin/colsum'), args, { maxBuffer: 1 << 26 })).stdout;

const patience = 60_000; // for anything that real processes do
let dir;
let browser;
let nodes; // name -> url

const cluster = async (...args) => (await run(join(root, 'scripts/cluster'), [...args, '--dir', join(dir, 'cluster')])).stdout;

async function roles() {
  const { processes } = JSON.parse(await cluster('status', '--json'));
  const of = (role) => processes.filter((p) => p.kind === 'node' && p.role === role).map((p) => p.name);
  return { leader: of('leader')[0], followers: of('follower') };
}

// working starts or kills the worker, if it is not so already. A work can be watched at leisure while there is none.
async function working(on) {
  const { processes } = JSON.parse(await cluster('status', '--json'));
  const alive = processes.some((p) => p.kind === 'worker' && p.pid);
  if (alive !== on) await cluster(on ? 'start' : 'kill', 'worker', '1');
}

// portBase finds a run of 30 ports that nobody listens on at the moment.
async function portBase() {
  const free = (port) => new Promise((resolve) => {
    const s = createServer().once('error', () => resolve(false)).listen(port, '127.0.0.1', () => s.close(() => resolve(true)));
  });
  for (let base = 20_000 + (process.pid % 400) * 100; base < 64_000; base += 100) {
    const all = await Promise.all(Array.from({ length: 30 }, (_, i) => free(base + i)));
    if (all.every(Boolean)) return base;
  }
  throw new Error('no free ports');
}

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'colsum-page-'));
  await colsum('generate', '--columns', '100', '--rows', '2000', '--out', join(dir, 'data/small.csv'));
  await colsum('generate', '--columns', '40', '--rows', '60000', '--out', join(dir, 'data/sub/large.csv'));
  const base = await portBase();
  await cluster('up', '--nodes', '3', '--workers', '1', '--slots', '2', '--port-base', String(base), '--data', join(dir, 'data'), '--min-chunk', '1');
  nodes = Object.fromEntries([0, 1, 2].map((i) => [`node${i + 1}`, `http://127.0.0.1:${base + 10 * i}/`]));
  browser = await launch();
}, { timeout: 3 * patience });

// Each test begins with all of the processes and a leader.
beforeEach(async () => {
  await working(true);
  const { processes } = JSON.parse(await cluster('status', '--json'));
  for (const p of processes.filter((each) => each.kind === 'node' && !each.pid)) await cluster('start', 'node', p.name.replace('node', ''));
  for (const end = Date.now() + patience; ;) {
    const now = await roles();
    if (now.leader && now.followers.length === 2) return;
    assert.ok(Date.now() < end, `not all nodes are up: ${JSON.stringify(now)}`);
  }
}, { timeout: 2 * patience });

after(async () => {
  await browser?.close();
  await cluster('down').catch((err) => console.error(err));
  await rm(dir, { recursive: true, force: true });
}, { timeout: patience });

// view opens the page at a node and wants no fault in the end.
async function view(node, hash, use) {
  const page = await open(browser, nodes[node] + hash, { permissions: ['clipboard-read', 'clipboard-write'] });
  page.setDefaultTimeout(patience);
  try {
    await use(page);
    assert.deepEqual(page.faults, []);
  } catch (err) {
    console.error(`${page.url()}:\n${await page.locator('body').innerText().catch(() => '(gone)')}`);
    throw err;
  } finally {
    await page.context().close();
  }
}

// schedule starts a sum by the form and returns its id. chunk is the task size in MiB.
async function schedule(page, path, chunk) {
  await page.getByRole('link', { name: 'New sum' }).first().click();
  await page.getByLabel(path).check();
  if (chunk) {
    await page.getByText('How to read the file').click();
    await page.getByLabel('Task size, MiB').fill(String(chunk));
  }
  await page.getByRole('button', { name: 'Start the sum' }).click();
  await page.getByRole('heading', { name: path }).waitFor();
  return decodeURIComponent(/#\/works\/(.+)$/.exec(page.url())[1]);
}

// expected is what colsum sum says of a file, as text: exact digits.
async function expected(path) {
  const json = await colsum('sum', '--json', join(dir, 'data', path));
  return { total: /"total":\s*([^,\s}]+)/.exec(json)[1], sums: [...json.matchAll(/"sum":\s*([^,\s}]+)/g)].map((m) => m[1]), digest: /"digest":\s*"([^"]+)"/.exec(json)[1] };
}

const pulse = (page, status) => page.locator('.sub .status').getByText(status, { exact: true }).waitFor();

// exactly wants the page to show a finished sum to the last digit.
async function exactly(page, path) {
  const want = await expected(path);
  await page.getByText(want.digest).waitFor();
  assert.equal(await page.locator('.total').textContent(), want.total);
  assert.deepEqual(await page.locator('.sums td.sum').allTextContents(), want.sums);
}

test('schedule, watch, read the result', { timeout: 4 * patience }, async () => {
  const { followers } = await roles();
  await view(followers[0], '#/works', async (page) => {
    await page.getByText('No works yet').waitFor();
    await page.getByRole('link', { name: 'New sum' }).first().click();
    await page.getByLabel('small.csv').check();
    await page.getByText(/101 columns · .* · 10 columns to sum/).waitFor();
    assert.deepEqual(await page.locator('.preview th.on').allTextContents(), [10, 20, 30, 40, 50, 60, 70, 80, 90, 100].map((c) => `${c} col${c - 1}`));
    const lines = (await readFile(join(dir, 'data/small.csv'), 'utf8')).split('\n');
    assert.equal(await page.locator('.preview tbody tr').first().locator('td.on').first().textContent(), lines[1].split(',')[9]);
    await schedule(page, 'small.csv');
    await pulse(page, 'done');
    await exactly(page, 'small.csv');
    await page.getByRole('button', { name: 'Copy JSON' }).click();
    await page.getByRole('button', { name: 'Copied' }).waitFor();
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    assert.ok(copied.includes(`"total": ${(await expected('small.csv')).total},`));
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download CSV' }).click()]);
    const rows = (await readFile(await download.path(), 'utf8')).trim().split('\r\n').slice(1).map((l) => l.split(','));
    assert.deepEqual(rows.map((r) => r[2]), (await expected('small.csv')).sums);
    await page.getByRole('link', { name: 'Works', exact: true }).click();
    await page.locator('.work').getByText('done', { exact: true }).waitFor();
  });
});

test('columns by name, and a file that is not there', { timeout: 4 * patience }, async () => {
  await view('node1', '#/new?file=small.csv', async (page) => {
    await page.getByLabel('Only these').check();
    await page.getByLabel('Columns', { exact: true }).fill('3, col7');
    await page.getByText('2 columns to sum').waitFor();
    await page.getByRole('button', { name: 'Start the sum' }).click();
    await pulse(page, 'done');
    const json = await colsum('sum', '--json', '--columns', '3,col7', join(dir, 'data/small.csv'));
    await page.getByText(/"digest":\s*"([^"]+)"/.exec(json)[1]).waitFor();
    await page.goto(`${nodes.node1}#/new?file=nowhere.csv`);
    await page.locator('.preview-panel .note.bad').waitFor();
    await page.getByRole('button', { name: 'Start the sum' }).click();
    await page.getByRole('alert').waitFor();
    assert.match(page.url(), /#\/new/);
  });
});

test('watch live progress, cancel', { timeout: 4 * patience }, async () => {
  const { followers } = await roles();
  await view(followers[0], '#/works', async (page) => {
    const asked = [];
    page.on('request', (r) => asked.push(new URL(r.url()).pathname.split('/')[2]));
    await working(false); // so that the work cannot be done before it is cancelled
    const id = await schedule(page, 'sub/large.csv', 0.002);
    await pulse(page, 'running');
    assert.equal(await page.getByRole('progressbar').getAttribute('aria-valuenow'), '0');
    await working(true);
    await page.waitForFunction(() => Number(document.querySelector('[role=progressbar]').getAttribute('aria-valuenow')) > 0);
    await working(false);
    await page.getByText(/ of [\d,]+ tasks/).waitFor();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('button', { name: 'Cancel the work' }).click();
    await pulse(page, 'cancelled');
    assert.equal(asked.filter((call) => call === 'watch_work').length, 1, 'the stream must hold');
    assert.equal(asked.filter((call) => call === 'get_result').length, 0, 'events alone must do');
    const doc = await (await fetch(`${nodes[followers[1]]}api/get_result/${id}`)).json();
    assert.equal(doc.status, 'cancelled');
  });
});

test('the cluster view names the leader and the worker', { timeout: 4 * patience }, async () => {
  const { leader } = await roles();
  await view(leader, '#/cluster', async (page) => {
    await page.getByText('leads the cluster').waitFor();
    assert.equal(await page.locator('.card').filter({ hasText: 'leads the cluster' }).locator('b').textContent(), leader);
    assert.equal(await page.locator('.card').count(), 3);
    await page.getByRole('img', { name: /^\d of 2 slots at work$/ }).waitFor();
    await page.locator('.worker').getByText('worker1', { exact: true }).waitFor();
  });
});

test('the leader is killed while the page watches', { timeout: 6 * patience }, async () => {
  const { leader, followers } = await roles();
  await view(followers[0], '#/works', async (page) => {
    await working(false);
    await schedule(page, 'sub/large.csv', 0.02);
    await pulse(page, 'running');
    await cluster('kill', 'leader');
    await page.waitForFunction((old) => fetch('api/cluster').then((r) => r.json()).then((d) => Boolean(d.leader) && d.leader !== old, () => false), leader, { polling: 200 });
    await working(true);
    await pulse(page, 'done');
    await exactly(page, 'sub/large.csv');
    await page.waitForFunction(() => document.getElementById('banner').textContent === '');
    await page.getByRole('link', { name: 'Cluster', exact: true }).click();
    await page.locator('.card').filter({ hasText: leader }).getByText('silent').waitFor();
    await cluster('start', 'node', leader.replace('node', ''));
    await page.locator('.card').filter({ hasText: leader }).getByText('follower').waitFor();
  });
});

test('the node that serves the page is killed and comes back', { timeout: 6 * patience }, async () => {
  const { followers } = await roles();
  const number = followers[0].replace('node', '');
  await view(followers[0], '#/works', async (page) => {
    await working(false);
    await schedule(page, 'sub/large.csv', 0.02);
    await pulse(page, 'running');
    await cluster('kill', 'node', number);
    await page.getByText('The server does not answer.').waitFor();
    await working(true);
    await cluster('start', 'node', number);
    await pulse(page, 'done');
    await exactly(page, 'sub/large.csv');
    await page.waitForFunction(() => document.getElementById('banner').textContent === '');
  });
});
