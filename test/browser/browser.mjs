// The browser of the tests: Debian's Chromium, headless, with a new empty profile.

import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const args = ['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', ...(process.getuid?.() === 0 ? ['--no-sandbox'] : [])];

/** launch starts a browser. CHROMIUM names another one. */
export function launch() {
  const executablePath = process.env.CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
  if (!executablePath) throw new Error('no Chromium found; CHROMIUM may name one');
  return chromium.launch({ executablePath, args, chromiumSandbox: false });
}

/**
 * open opens a page of its own at url and returns it. Whatever goes wrong within the page is gathered in page.faults: errors
 * of scripts, broken policies, requests to other hosts. options are Playwright's for a context.
 */
export async function open(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: 'en-GB', timezoneId: 'UTC', ...options });
  context.setDefaultTimeout(20_000);
  const page = await context.newPage();
  page.faults = [];
  page.on('pageerror', (err) => page.faults.push(`script: ${err.stack}`));
  page.on('console', (m) => {
    // A request that fails (no leader, server away) is told on the console by the browser itself: no fault of the page.
    if (m.type() === 'error' && !/Failed to load resource/.test(m.text())) page.faults.push(`console: ${m.text()}`);
  });
  page.on('request', (r) => {
    if (!/^(data|blob):/.test(r.url()) && new URL(r.url()).origin !== new URL(url).origin) page.faults.push(`foreign: ${r.url()}`);
  });
  await page.goto(url);
  return page;
}
