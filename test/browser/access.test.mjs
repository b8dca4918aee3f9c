// Every view under axe, the checker of the Web Content Accessibility Guidelines, in both themes.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { launch, open } from './browser.mjs';
import { fill, start } from './fake.mjs';

let browser;
let fake;
let id;
let axe;
before(async () => {
  axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  browser = await launch();
  fake = await start();
  id = fill(fake);
});
after(async () => {
  await browser?.close();
  await fake?.close();
});

const views = {
  works: ['#/works', '.work:not(.skeleton)'],
  'new sum': ['#/new?file=data.csv', '.preview th.on', async (page) => { await page.getByText('How to read the file').click(); }],
  running: () => [`#/works/${id(6)}`, '.sums tbody tr'],
  'storage away': () => [`#/works/${id(5)}`, '.note.warn'],
  done: () => [`#/works/${id(4)}`, '.bad-cells td'],
  failed: () => [`#/works/${id(2)}`, '.note.bad'],
  unknown: ['#/works/nothing', '.empty'],
  cluster: ['#/cluster', '.worker'],
  dialog: () => [`#/works/${id(6)}`, '.sums tbody tr', async (page) => { await page.getByRole('button', { name: 'Cancel' }).click(); }],
};

for (const [name, given] of Object.entries(views)) {
  for (const colorScheme of ['light', 'dark']) {
    test(`${name}, ${colorScheme}`, async () => {
      const [hash, ready, prepare = () => {}] = typeof given === 'function' ? given() : given;
      const page = await open(browser, fake.url + hash, { colorScheme, reducedMotion: 'reduce' });
      await page.locator(ready).first().waitFor();
      await prepare(page);
      await page.evaluate(axe);
      const { violations, passes } = await page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
      assert.ok(passes.length > 10, 'axe looked at too little');
      assert.deepEqual(violations.map((v) => `${v.id}: ${v.help}\n  ${v.nodes.slice(0, 3).map((n) => n.html).join('\n  ')}`), []);
      assert.deepEqual(page.faults, []);
      await page.context().close();
    });
  }
}
