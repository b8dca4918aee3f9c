// The page in a browser against the fake cluster: every state that it can be in, whatever is thrown at it.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { launch, open } from './browser.mjs';
import { exact, fill, start, sums, work } from './fake.mjs';

let browser;
before(async () => { browser = await launch(); });
after(() => browser?.close());

// page opens the page at `hash` on a fake cluster that prepare has set up, gives it to run, and wants no fault in the end.
function onPage(name, hash, prepare, run, options) {
  test(name, async () => {
    const fake = await start();
    try {
      const given = await prepare(fake);
      const page = await open(browser, fake.url + hash, options);
      await run(page, fake, given);
      assert.deepEqual(page.faults, []);
      await page.context().close();
    } finally {
      await fake.close();
    }
  });
}

// texts waits until a locator's texts are as wanted.
async function texts(locator, want) {
  await until(async () => assert.deepEqual(await locator.allTextContents(), want));
}

// until calls check until it passes; the last failure is thrown when the time is up.
async function until(check) {
  const end = Date.now() + 20_000;
  for (;;) {
    try {
      return await check();
    } catch (err) {
      if (Date.now() > end) throw err;
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
  }
}

const nothing = () => {};

onPage('works: loading, then none, then the first', '#/works', (f) => { f.holding = true; }, async (page, fake) => {
  await page.locator('.work.skeleton').first().waitFor();
  fake.release();
  await page.getByRole('heading', { name: 'No works yet' }).waitFor();
  assert.equal(await page.locator('.work').count(), 0);
  assert.equal(await page.locator('#in-progress').textContent(), '0');
  fake.put(work('first', { status: 'running' }));
  await page.getByRole('link', { name: 'sensors/2026-11.csv' }).waitFor();
  assert.equal(await page.locator('.empty').count(), 0);
});

onPage('works: live progress, speed and time left', '#/works', fill, async (page, fake, id) => {
  const row = page.locator('.work').filter({ hasText: id(6) });
  await row.waitFor();
  assert.equal(await page.locator('#in-progress').textContent(), '3');
  const bar = row.getByRole('progressbar');
  assert.equal(await bar.getAttribute('aria-valuenow'), '62');
  assert.match(await row.textContent(), /62%3\.62 GB of 5\.84 GB1\.24 GB\/sabout 2 s left/);
  await row.getByRole('link').focus();
  const w = fake.works.find((o) => o.work_id === id(6));
  fake.put({ ...w, progress: { ...w.progress, bytes_done: 5e9 } });
  await until(async () => assert.equal(await bar.getAttribute('aria-valuenow'), '85'));
  // Without the server's speed the page goes by what it sees.
  fake.put({ ...w, progress: { ...w.progress, bytes_done: 5.1e9, bytes_per_second: 0 } });
  await until(async () => assert.match(await row.textContent(), /5\.10 GB of 5\.84 GB/));
  fake.put({ ...w, progress: { ...w.progress, bytes_done: 5.3e9, bytes_per_second: 0 } });
  await until(async () => assert.match(await row.textContent(), /5\.30 GB of 5\.84 GB.* [MG]B\/sabout .* left/));
  fake.put(work('newer'));
  await page.locator('.work').filter({ hasText: 'newer' }).waitFor();
  assert.equal(await row.getByRole('link').evaluate((a) => a === document.activeElement), true, 'the focus was lost');
  await page.getByText('storage away').waitFor();
  await page.getByText('never closes').waitFor();
});

onPage('works: filter, more pages, forget', '#/works', (f) => {
  for (let i = 0; i < 120; i++) f.put(work(`w${i}`, { status: i % 40 === 0 ? 'failed' : 'done', error: i % 40 === 0 ? { code: 'changed', message: 'the file changed' } : null }));
}, async (page, fake) => {
  const rows = page.locator('.work:not(.skeleton)');
  await until(async () => assert.equal(await rows.count(), 50));
  await page.getByRole('button', { name: 'Show more' }).click();
  await until(async () => assert.equal(await rows.count(), 100));
  await page.getByRole('button', { name: 'Failed 3' }).click();
  await until(async () => assert.equal(await rows.count(), 3));
  await page.getByRole('button', { name: /^Queued/ }).click();
  await page.getByText('No queued works').waitFor();
  await page.getByRole('button', { name: /^All/ }).click();
  await page.getByRole('button', { name: 'Forget ended…' }).click();
  await page.getByRole('dialog').getByRole('combobox').selectOption('0');
  await page.getByRole('button', { name: 'Forget them' }).click();
  await page.getByText('No works yet').waitFor();
  assert.deepEqual(fake.calls.find((c) => c.call === 'clean_works').body, { max_age: 0 });
});

onPage('works: an error is shown and goes away', '#/works', (f) => { f.fail.list_works = 'internal'; fill(f); }, async (page, fake) => {
  await page.getByRole('alert').getByText('The works cannot be shown').waitFor();
  fake.fail = {};
  await page.locator('.work').getByText('queued').waitFor();
  assert.equal(await page.getByRole('alert').count(), 0);
});

onPage('no leader: the banner comes, the nodes stay in view, and all goes on by itself', '#/cluster', fill, async (page, fake) => {
  await page.locator('.card').getByText('leads the cluster').waitFor();
  fake.fail['*'] = 'no_leader';
  fake.cluster.leader = null;
  fake.cluster.nodes[0].role = 'follower';
  await page.getByText('No leader at the moment.').waitFor();
  await texts(page.locator('#chip span'), ['no leader']);
  await texts(page.locator('.card .status'), ['follower', 'follower', 'follower']);
  fake.fail = {};
  fake.cluster.leader = 'n3';
  fake.cluster.nodes[2].role = 'leader';
  await texts(page.locator('.card .status'), ['follower', 'follower', 'leader']);
  await texts(page.locator('#chip span'), ['3 nodes']);
  assert.equal(await page.locator('#banner').textContent(), '');
});

onPage('the server goes and comes back', '#/works', fill, async (page, fake) => {
  await page.locator('.work').first().waitFor();
  const rows = await page.locator('.work').count();
  await fake.down();
  await page.getByText('The server does not answer.').waitFor();
  assert.equal(await page.locator('.work').count(), rows, 'the last state must stay in view');
  await fake.up();
  await until(async () => assert.equal(await page.locator('#banner').textContent(), ''));
});

onPage('new sum: choose, look, change the columns, start', '#/new', nothing, async (page, fake) => {
  await page.getByText('4 files').waitFor();
  await page.getByLabel('File', { exact: true }).fill('sensors/');
  await page.getByText('2 files beginning with “sensors/”').waitFor();
  await page.getByLabel('sensors/2026-11.csv').check();
  await page.getByText('101 columns · about 3,000,417 rows · 10 columns to sum').waitFor();
  await texts(page.locator('.preview th.on span'), ['10', '20', '30', '40', '50', '60', '70', '80', '90', '100']);
  assert.equal(await page.locator('.preview td.on').count(), 200);
  assert.ok(await page.locator('.preview th.on').first().evaluate((th) => {
    const box = th.closest('.scroll').getBoundingClientRect();
    const r = th.getBoundingClientRect();
    return r.left >= box.left && r.right <= box.right;
  }), 'the first summed column is not in view');
  await page.getByLabel('Starting at column').fill('2');
  await texts(page.locator('.preview th.on span'), ['2', '12', '22', '32', '42', '52', '62', '72', '82', '92']);
  await page.getByRole('button', { name: '5 col4: sum this column' }).click();
  await page.getByLabel('Columns', { exact: true }).waitFor();
  assert.equal(await page.getByLabel('Columns', { exact: true }).inputValue(), '2, 5, 12, 22, 32, 42, 52, 62, 72, 82, 92');
  await page.getByLabel('Columns', { exact: true }).fill('3, ,4');
  await page.getByText('The list has an empty place.').waitFor();
  await page.getByLabel('Columns', { exact: true }).fill('3, col7');
  await texts(page.locator('.preview th.on span'), ['3', '8']);
  await until(async () => assert.ok(await page.locator('.preview').evaluate((box) => [...box.querySelectorAll('th.on')].some((th) => th.getBoundingClientRect().left >= box.getBoundingClientRect().left)), 'no summed column is in view'));
  await page.getByText('How to read the file').click();
  await page.getByLabel('Header').selectOption('yes');
  await page.getByLabel('Delimiter', { exact: true }).selectOption('other');
  await page.getByLabel('Delimiter byte').fill(':');
  await page.getByLabel('Quote').selectOption('');
  await page.getByLabel('Decimal point').selectOption(',');
  await page.getByLabel('Comment').fill('#');
  await page.getByLabel('Task size, MiB').fill('0.5');
  await page.getByLabel('fails the work').check();
  await until(() => {
    const q = fake.calls.filter((c) => c.call === 'preview_file').at(-1).query;
    assert.deepEqual(Object.fromEntries(q), { filepath: 'sensors/2026-11.csv', columns: '3, col7', header: 'yes', delimiter: ':', quote: '', decimal: ',', comment: '#' });
  });
  await page.getByRole('button', { name: 'Start the sum' }).click();
  await page.getByRole('heading', { name: 'sensors/2026-11.csv' }).waitFor();
  const sent = fake.calls.filter((c) => c.call === 'schedule_work');
  assert.equal(sent.length, 1);
  assert.deepEqual(sent[0].body, { filepath: 'sensors/2026-11.csv', columns: [3, 'col7'], header: 'yes', delimiter: ':', quote: '', decimal: ',', comment: '#', invalid: 'fail', chunk_bytes: 524288 });
  assert.match(sent[0].key, /^[0-9a-f]{32}$/);
});

onPage('new sum: without a leader it is sent again under the same key, and started once', '#/new?file=data.csv', (f) => { f.fail.schedule_work = 'no_leader'; }, async (page, fake) => {
  await page.locator('.preview th.on').first().waitFor();
  await page.getByRole('button', { name: 'Start the sum' }).click();
  await until(() => assert.ok(fake.calls.filter((c) => c.call === 'schedule_work').length >= 2));
  fake.fail = {};
  await page.locator('.status').getByText('queued').waitFor();
  assert.equal(new Set(fake.calls.filter((c) => c.call === 'schedule_work').map((c) => c.key)).size, 1);
  assert.equal(fake.works.length, 1);
  assert.deepEqual(fake.calls.find((c) => c.call === 'schedule_work').body, { filepath: 'data.csv', columns: { every: 10 } });
});

onPage('new sum: refused', '#/new', (f) => { f.fail.schedule_work = 'too_many_works'; }, async (page) => {
  await page.getByRole('button', { name: 'Start the sum' }).click();
  await page.getByRole('alert').getByText('Choose a file first.').waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), 'filepath');
  await page.getByLabel('File', { exact: true }).fill('nowhere.csv');
  await page.locator('.preview-panel').getByText('file not found (fake).').waitFor();
  await page.getByLabel('Every', { exact: true }).fill('0');
  await page.getByText('Every: must be a whole number of at least 1.').waitFor();
  await page.getByLabel('Every', { exact: true }).fill('10');
  await page.getByRole('button', { name: 'Start the sum' }).click();
  await page.getByRole('alert').getByText('too many works (fake).').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Start the sum' }).isEnabled(), true);
});

onPage('new sum: with the storage away a typed path can be started', '#/new', (f) => { f.fail.list_files = f.fail.preview_file = 'storage_unavailable'; }, async (page, fake) => {
  await page.getByText('You can type a path all the same').waitFor();
  await page.getByLabel('File', { exact: true }).fill('s3://lab/big.csv');
  await page.getByText('You can start the sum all the same').waitFor();
  fake.fail = {};
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByText('No files begin with').waitFor();
  await page.getByRole('button', { name: 'Start the sum' }).click();
  await page.getByRole('heading', { name: 's3://lab/big.csv' }).waitFor();
});

onPage('a work from queued to done, by events alone', '#/works/w', (f) => { f.put(work('w', { status: 'queued' })); }, async (page, fake) => {
  await page.getByText('waiting to be planned').waitFor();
  fake.put(work('w', { status: 'running' }));
  await page.getByText('Total so far').waitFor();
  assert.match(await page.title(), /^62% 2026-11\.csv/);
  fake.put(work('w'));
  await page.getByText('sha256:5d1f').waitFor();
  assert.match(await page.locator('#say').textContent(), /^Done: 2026-11\.csv, 3,000,000 rows/);
  assert.equal(await page.getByRole('button', { name: 'Cancel' }).isVisible(), false);
  assert.equal(await page.locator('.total').textContent(), '14987214.0917361158290043');
  assert.equal(fake.calls.filter((c) => c.call === 'watch_work').length, 1);
  assert.equal(fake.calls.filter((c) => c.call === 'get_result').length, 0);
  assert.equal(await page.getByRole('link', { name: 'Sum again' }).getAttribute('href'), '#/new?file=sensors%2F2026-11.csv');
});

onPage('the stream breaks, nobody leads, the work goes on to its end', '#/works/w', (f) => { f.put(work('w', { status: 'running' })); }, async (page, fake) => {
  await page.getByText('Total so far').waitFor();
  fake.fail['*'] = 'no_leader';
  fake.cut();
  await page.getByText('No leader at the moment.').waitFor();
  assert.equal(await page.getByText('Total so far').isVisible(), true, 'the last state must stay in view');
  fake.works[0] = work('w'); // it ends while nobody tells
  fake.fail = {};
  await page.getByText('sha256:5d1f').waitFor();
  await until(async () => assert.equal(await page.locator('#banner').textContent(), ''));
});

onPage('where streams do not get through, the page asks', '#/works/w', (f) => { f.streams = false; f.put(work('w', { status: 'running' })); }, async (page, fake) => {
  await page.getByText('Total so far').waitFor();
  fake.put(work('w'));
  await page.getByText('sha256:5d1f').waitFor();
  assert.ok(fake.calls.some((c) => c.call === 'get_result'));
});

onPage('a hidden page holds no stream, a page that is seen again does', '#/works/w', (f) => { f.put(work('w', { status: 'running' })); }, async (page, fake) => {
  await page.getByText('Total so far').waitFor();
  const hide = (hidden) => page.evaluate((value) => {
    Object.defineProperty(document, 'hidden', { value, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);
  await hide(true);
  await until(() => assert.equal(fake.watching(), 0));
  await until(() => assert.ok(fake.calls.some((c) => c.call === 'get_result')));
  await hide(false);
  await until(() => assert.equal(fake.watching(), 1));
  fake.put(work('w'));
  await page.getByText('sha256:5d1f').waitFor();
});

onPage('of a flood of events the last one is shown', '#/works/w', (f) => { f.put(work('w', { status: 'running' })); }, async (page, fake) => {
  await page.getByText('Total so far').waitFor();
  for (let i = 0; i <= 500; i++) fake.put(work('w', { status: 'running', total: exact(`${i}.5`) }));
  await texts(page.locator('.total'), ['500.5']);
  for (let i = 0; i <= 500; i++) fake.put(work('w', { status: i < 500 ? 'running' : 'done', total: exact(`${i}.25`) }));
  await texts(page.locator('.total'), ['500.25']);
  await page.getByText('sha256:5d1f').waitFor();
});

onPage('cancel asks first', '#/works/w', (f) => { f.put(work('w', { status: 'running' })); }, async (page, fake) => {
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.keyboard.press('Escape');
  assert.equal(await page.getByRole('dialog').count(), 0);
  assert.equal(fake.works[0].status, 'running');
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('button', { name: 'Cancel the work' }).click();
  await page.locator('.status').getByText('cancelled').waitFor();
  await page.getByText('Partial total').waitFor();
  await page.getByText('The sums below hold what had been added up until then.').waitFor();
});

onPage('a failed work says why and where; an unknown one that it is not there', '#/works/w', (f) => {
  f.put(work('w', { status: 'failed', error: { code: 'invalid_cell', message: 'the cell "n/a" is not a number', row: 17, column: 20, byte: 35211 } }));
}, async (page, fake) => {
  await texts(page.locator('.note.bad'), ['the cell "n/a" is not a number. At row 17, column 20, byte 35,211. (invalid_cell)']);
  await page.goto(`${fake.url}#/works/other`);
  await page.getByRole('heading', { name: 'No such work' }).waitFor();
});

onPage('the storage is away while a work runs', '#/works/w', (f) => {
  const w = work('w', { status: 'running' });
  f.put({ ...w, progress: { ...w.progress, storage_unreachable_since: '2026-11-23T10:00:00Z' } });
}, async (page, fake) => {
  await page.getByText('It has been away since 23 Nov 2026, 10:00').waitFor();
  assert.equal(await page.locator('.status').first().textContent(), 'storage away');
  fake.put(work('w', { status: 'running' }));
  await page.getByText('about 2 s left').waitFor();
  assert.equal(await page.locator('.note').count(), 0);
});

const digits = `-${'8'.repeat(300)}.${'0123456789'.repeat(12)}1`;
onPage('every digit is shown, copied and downloaded', '#/works/w', (f) => {
  const results = sums(3);
  results[1].sum = exact(digits);
  f.put(work('w', { results, total: exact('0.1000000000000000055511151231257827') }));
}, async (page) => {
  await texts(page.locator('.total'), ['0.1000000000000000055511151231257827']);
  assert.equal(await page.locator('.sums tbody tr').nth(1).locator('.sum').textContent(), digits);
  await page.getByRole('button', { name: 'Copy JSON' }).click();
  await page.getByRole('button', { name: 'Copied' }).waitFor();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  assert.ok(copied.includes(`"sum": ${digits},`));
  assert.ok(copied.includes('"total": 0.1000000000000000055511151231257827,'));
  for (const [kind, wanted] of [['JSON', `"sum": ${digits},`], ['CSV', `\r\n20,col19,${digits},`]]) {
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: `Download ${kind}` }).click()]);
    assert.equal(download.suggestedFilename(), `2026-11.sums.${kind.toLowerCase()}`);
    assert.ok((await readFile(await download.path(), 'utf8')).includes(wanted), `${kind} lacks digits`);
  }
}, { permissions: ['clipboard-read', 'clipboard-write'] });

onPage('a thousand columns: order, search, chart by keyboard', '#/works/w', (f) => {
  const results = sums(1000);
  results[499].sum = exact('-3000000.5');
  f.put(work('w', { results, columns_total: 10_000 }));
}, async (page) => {
  const first = page.locator('.sums tbody tr').first();
  await first.waitFor();
  assert.equal(await page.locator('.sums tbody tr').count(), 1000);
  await page.getByRole('button', { name: 'Sum', exact: true }).click();
  assert.match(await first.textContent(), /^5000col4999-3000000\.5/);
  assert.equal(await page.locator('th[aria-sort=ascending]').textContent(), 'Sum');
  await page.getByRole('button', { name: 'Sum', exact: true }).click();
  assert.equal(await page.locator('th[aria-sort=descending]').textContent(), 'Sum');
  assert.match(await page.locator('.sums tbody tr').last().textContent(), /^5000/);
  await page.getByRole('searchbox').fill('col4999');
  await page.getByText('1 of 1,000 columns').waitFor();
  await page.locator('figure .chart').focus();
  await page.keyboard.press('End');
  await page.keyboard.press('ArrowLeft');
  await page.getByText(/^Column 9990, col9989: \d+\.\d+$/).waitFor();
  assert.equal(await page.getByRole('button', { name: 'Line' }).getAttribute('aria-pressed'), 'true');
  await page.getByRole('button', { name: 'Bars' }).click();
  assert.equal(await page.locator('figure rect').count(), 1000);
});

onPage('sums beyond every double can be drawn', '#/works/w', (f) => {
  f.put(work('w', { results: sums(2).map((r, i) => ({ ...r, sum: exact(i ? `-1${'0'.repeat(900)}` : `2${'0'.repeat(900)}.5`) })) }));
}, async (page) => {
  await page.locator('figure rect').first().waitFor();
  const heights = await page.locator('figure rect').evaluateAll((all) => all.map((r) => Number(r.getAttribute('height'))));
  assert.ok(Math.abs(heights[0] / heights[1] - 2) < 0.01, `heights ${heights}`);
  assert.ok((await page.locator('figure .tick').allTextContents()).includes('2e900'));
});

const evil = '<img src=x onerror="window.hacked=1">"\'&amp;\u202egpj.csv';
onPage('hostile names and cells stay text', '#/works', (f) => {
  f.files = [{ path: evil, size: 1, time: 0 }, { path: `${'long'.repeat(300)}.csv`, size: 2, time: 0 }];
  f.put(work('"><script>window.hacked=1</script>/../?#%', {
    filepath: evil, warnings: [evil], error: null, results: sums(2).map((r) => ({ ...r, name: evil, invalid: 1 })),
    bad_cells: [{ column: 10, row: 1, byte: 2, text: `${evil}\u0000\n` }], file: { size: 1, version: evil },
  }));
  f.put(work('failed', { filepath: 'x'.repeat(4000), status: 'failed', error: { code: 'x', message: evil.repeat(20) } }));
  f.cluster.nodes[0].id = f.cluster.leader = evil;
  f.cluster.workers = [{ id: evil, host: evil, slots: 1, bytes_per_second: 0, running: [{ work_id: evil, task: 1, bytes: 0, length: 0 }] }];
  f.preview = { filepath: evil, size: 1, columns_total: 2, header: [evil, evil], records: [[evil, evil], [evil]], selected: [2], estimated_rows: 2, warnings: [evil] };
}, async (page, fake) => {
  const shown = '<img src=x onerror="window.hacked=1">"\'&amp;\\u202egpj.csv';
  await page.locator('.work a').getByText(shown).click();
  await texts(page.locator('h1'), [shown]);
  assert.equal(await page.locator('.bad-cells code').textContent(), `${shown}\\u0000\\n`);
  await fits(page);
  for (const [hash, wait] of [['#/cluster', '.worker'], ['#/new', '.files label'], ['#/works', '.work'], ['#/works/failed', '.note.bad']]) {
    await page.goto(fake.url + hash);
    await page.locator(wait).first().waitFor();
    if (hash === '#/new') {
      await page.locator('.files label').first().click();
      await page.locator('.preview th.on').waitFor();
    }
    await fits(page);
    assert.equal(await page.locator('main img, main script').count(), 0);
  }
  assert.equal(await page.evaluate(() => window.hacked), undefined);
}, { viewport: { width: 390, height: 800 } });

// fits wants no sideways scrolling of the page.
async function fits(page) {
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(wider, 0, `${page.url()} is ${wider} px wider than the window`);
}

onPage('every view fits a narrow phone', '#/works', fill, async (page, fake, id) => {
  for (const [hash, wait] of [['#/works', '.work'], ['#/new?file=data.csv', '.preview th.on'], [`#/works/${id(4)}`, '.bad-cells'], [`#/works/${id(6)}`, '.sums td'], ['#/cluster', '.worker']]) {
    await page.goto(fake.url + hash);
    await page.locator(wait).first().waitFor();
    await fits(page);
  }
}, { viewport: { width: 320, height: 640 } });

onPage('by keyboard: skip link, headings, theme', '#/works', fill, async (page, fake) => {
  await page.locator('.work a').first().waitFor();
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'skip');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
  assert.match(page.url(), /#\/works$/);
  await page.getByRole('link', { name: 'Cluster', exact: true }).press('Enter');
  await until(async () => assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Cluster'));
  assert.match(await page.title(), /^Cluster/);
  assert.equal(await page.locator('#nav [aria-current=page]').textContent(), 'Cluster');
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await page.getByRole('button', { name: 'Theme: as the system' }).press('Enter');
  assert.equal(await ground(), light);
  await page.getByRole('button', { name: 'Theme: light' }).press('Enter');
  assert.notEqual(await ground(), light);
  await page.reload();
  await page.getByRole('button', { name: 'Theme: dark' }).waitFor();
  assert.notEqual(await ground(), light, 'the choice was forgotten');
  await page.goto(`${fake.url}#/nonsense`);
  await page.getByRole('heading', { name: 'Works', exact: true }).waitFor();
}, { colorScheme: 'light' });

for (const theme of ['light', 'dark']) {
  onPage(`text has contrast: ${theme}`, '#/works', fill, async (page) => {
    const low = await page.evaluate(() => {
      const css = getComputedStyle(document.documentElement);
      const light = (name) => {
        const hex = css.getPropertyValue(name).trim();
        const [r, g, b] = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const pairs = [...['ink', 'quiet', 'accent', 'bad'].flatMap((t) => ['ground', 'surface', 'sunken'].map((g) => [t, g, 4.5])),
        ['accent-ink', 'accent', 4.5], ['ink', 'accent-soft', 4.5], ['quiet', 'accent-soft', 4.5], ['run', 'run-soft', 4.5], ['good', 'good-soft', 4.5], ['warn', 'warn-soft', 4.5], ['bad', 'bad-soft', 4.5],
        ['edge', 'surface', 3], ['accent-bar', 'surface', 3], ['accent-bar', 'sunken', 3]];
      return pairs.map(([t, g, want]) => {
        const [a, b] = [light(`--${t}`), light(`--${g}`)].sort((x, y) => y - x);
        return { pair: `${t} on ${g}`, ratio: (a + 0.05) / (b + 0.05), want };
      }).filter((p) => !(p.ratio >= p.want));
    });
    assert.deepEqual(low, []);
  }, { colorScheme: theme });
}

onPage('the cluster: slots, tasks, throughput', '#/cluster', fill, async (page, fake, id) => {
  await page.getByRole('img', { name: '3 of 4 slots at work' }).waitFor();
  await texts(page.locator('.facts dd').first(), ['1.24 GB/s']);
  await texts(page.locator('.facts dd').nth(1), ['5 of 10']);
  await page.getByText('61% of 67.1 MB').waitFor();
  fake.cluster.workers[1].running = Array.from({ length: 6 }, (_, i) => ({ ...fake.cluster.workers[1].running[0], task: 54 + i }));
  await page.getByRole('img', { name: '4 of 4 slots at work' }).waitFor();
  await texts(page.locator('.facts dd').nth(1), ['7 of 10']);
  await page.getByText('and 2 more tasks at this worker').waitFor();
  fake.cluster.workers[0].running = [];
  fake.cluster.workers[0].bytes_per_second = 0;
  await page.getByRole('img', { name: '0 of 4 slots at work' }).waitFor();
  await page.locator('.chart .line').waitFor({ state: 'attached' });
  await page.getByRole('link', { name: /task 54/ }).click();
  await page.getByRole('heading', { name: 'sensors/2026-11.csv' }).waitFor();
  assert.ok(page.url().endsWith(id(6)));
});
