// Screenshots of every view, at two widths and in both themes: node shots.mjs [OUTDIR [VIEW,...]]; with --readme OUTDIR the two
// of the README. What they show is a fake cluster that has something of everything.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { launch, open } from './browser.mjs';
import { exact, fill, start, sums, work } from './fake.mjs';

const readme = process.argv[2] === '--readme';
const [out = '../../bench/screenshots', list] = process.argv.slice(readme ? 3 : 2);
mkdirSync(out, { recursive: true });

const fake = await start();
const id = fill(fake);
const wide = 'wide-1000-columns';
fake.put(work(wide, { filepath: 'wide/1000.csv', results: sums(1000), columns_total: 10_001, ctime: new Date(Date.now() - 7200_000).toISOString() }));
const empty = await start();

const views = {
  works: ['#/works', '.work a'],
  'works-empty': ['#/works', '.empty', empty],
  'works-loading': ['#/works', '.skeleton', empty, (f) => { f.holding = true; }],
  'works-no-leader': ['#/works', '[data-health=no_leader]', fake, (f) => { f.fail['*'] = 'no_leader'; f.cluster.leader = null; }],
  new: [`#/new?file=sensors/2026-11.csv`, '.preview th.on'],
  'new-storage-away': ['#/new', '.files-note .note', fake, (f) => { f.fail.list_files = 'storage_unavailable'; }],
  running: [`#/works/${id(6)}`, '.sums tbody tr'],
  away: [`#/works/${id(5)}`, '.note.warn'],
  done: [`#/works/${id(4)}`, '.sums tbody tr'],
  failed: [`#/works/${id(2)}`, '.note.bad'],
  wide: [`#/works/${wide}`, '.sums tbody tr'],
  unknown: ['#/works/nothing', '.empty'],
  cluster: ['#/cluster', '.worker'],
};

const browser = await launch();
let n = 0;
const only = list?.split(',');

if (readme) {
  for (const colorScheme of ['light', 'dark']) {
    const page = await open(browser, `${fake.url}#/works/${id(6)}`, { colorScheme, viewport: { width: 1200, height: 900 }, reducedMotion: 'reduce' });
    await page.locator('.sums tbody tr').first().waitFor();
    await page.getByText('3 nodes').waitFor();
    await page.screenshot({ path: join(out, `page-${colorScheme}.png`) });
    await page.context().close();
    n++;
  }
} else for (const [theme, colorScheme] of [['light', 'light'], ['dark', 'dark']]) {
  for (const [size, width, height] of [['desk', 1280, 860], ['phone', 390, 844]]) {
    for (const [name, [hash, ready, from = fake, before = () => {}]] of Object.entries(views)) {
      if (only && !only.includes(name)) continue;
      from.holding = false;
      from.fail = {};
      from.cluster.leader = 'n1';
      before(from);
      const page = await open(browser, from.url + hash, { colorScheme, viewport: { width, height }, deviceScaleFactor: size === 'phone' ? 2 : 1, reducedMotion: 'reduce' });
      await page.locator(ready).first().waitFor();
      if (name === 'cluster') await page.locator('.chart .line').first().waitFor({ state: 'attached' });
      await page.screenshot({ path: join(out, `${name}-${size}-${theme}.png`), fullPage: true });
      const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (wider > 0) console.error(`${name} ${size}: the page scrolls sideways by ${wider} px`);
      for (const fault of page.faults) console.error(`${name} ${size}: ${fault}`);
      await page.context().close();
      from.release();
      n++;
    }
  }
}
await browser.close();
await fake.close();
await empty.close();
console.log(`${n} screenshots in ${out}`);
