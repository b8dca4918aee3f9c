// The page's frame: which view is shown, the cluster's health, the theme.

import { health, setHealth, troubles } from './api.js';
import { clusterView, follow } from './cluster.js';
import { attr, h, say, show, svg, text } from './dom.js';
import { plural } from './format.js';
import { resultView } from './result.js';
import { scheduleView } from './schedule.js';
import { worksView } from './works.js';

const main = document.getElementById('main');

/** The views by address. A view fills `main` and lives until its signal aborts; it returns its title. */
const routes = [
  [/^#\/works$/, '#/works', () => worksView],
  [/^#\/works\/(.+)$/, '#/works', (id) => (el, signal) => resultView(el, signal, decodeURIComponent(id))],
  [/^#\/new(?:\?(.*))?$/, '#/new', (query) => (el, signal) => scheduleView(el, signal, new URLSearchParams(query ?? ''))],
  [/^#\/cluster$/, '#/cluster', () => clusterView],
];

let current = null;

function route(first) {
  const hash = location.hash || '#/works';
  const found = routes.map(([pattern, home, view]) => ({ match: pattern.exec(hash), home, view })).find((r) => r.match);
  if (!found) {
    if (hash.startsWith('#/')) location.replace('#/works');
    return;
  }
  current?.abort(new DOMException('another view is shown', 'AbortError'));
  current = new AbortController();
  for (const a of document.querySelectorAll('#nav a')) attr(a, 'aria-current', a.getAttribute('href') === found.home ? 'page' : null);
  const el = h('div', { class: 'view' });
  show(main, el);
  let view;
  try {
    view = found.view(found.match[1]);
  } catch { // a broken %-escape
    return location.replace('#/works');
  }
  document.title = `${view(el, current.signal)} · colsum`;
  if (first === true) return;
  scrollTo(0, 0);
  const heading = el.querySelector('h1');
  heading?.setAttribute('tabindex', '-1');
  heading?.focus({ preventScroll: true });
}

// The skip link must not change the address: it is the router's.
document.getElementById('skip').addEventListener('click', (event) => {
  event.preventDefault();
  main.focus();
});

// Theme.
const icons = {
  system: svg('svg', { viewBox: '0 0 20 20', 'aria-hidden': 'true' }, svg('circle', { cx: 10, cy: 10, r: 7, fill: 'none', stroke: 'currentColor', 'stroke-width': 1.6 }), svg('path', { d: 'M10 3a7 7 0 0 1 0 14z', fill: 'currentColor' })),
  light: svg('svg', { viewBox: '0 0 20 20', 'aria-hidden': 'true' }, svg('circle', { cx: 10, cy: 10, r: 3.6, fill: 'currentColor' }), svg('path', { d: 'M10 1.5v2.5M10 16v2.5M1.5 10H4M16 10h2.5M4 4l1.8 1.8M14.2 14.2 16 16M16 4l-1.8 1.8M5.8 14.2 4 16', stroke: 'currentColor', 'stroke-width': 1.6, 'stroke-linecap': 'round' })),
  dark: svg('svg', { viewBox: '0 0 20 20', 'aria-hidden': 'true' }, svg('path', { d: 'M16.8 12.4A7.2 7.2 0 0 1 7.6 3.2a7.2 7.2 0 1 0 9.2 9.2z', fill: 'currentColor' })),
};
const toggle = document.getElementById('theme');
function paint() {
  const label = `Theme: ${window.theme.chosen === 'system' ? 'as the system' : window.theme.chosen}`;
  attr(toggle, 'aria-label', label);
  attr(toggle, 'title', label);
  show(toggle, icons[window.theme.chosen]);
}
toggle.addEventListener('click', () => { window.theme.next(); paint(); say(toggle.getAttribute('aria-label')); });
paint();

// Health: the banner and the chip.
const banner = document.getElementById('banner');
let cluster = null;
function paintHealth() {
  const trouble = troubles[health.state];
  show(banner, trouble && h('div', {}, h('p', { class: 'banner-in', 'data-health': health.state }, h('span', {}, h('strong', {}, trouble[0]), ' ', trouble[1]))));
  const dot = document.querySelector('#chip .dot');
  dot.className = `dot ${{ ok: 'good', no_leader: 'bad', unreachable: 'bad' }[health.state] ?? ''}`;
  const words = { no_leader: 'no leader', unreachable: 'not reachable' }[health.state]
    ?? (cluster ? plural(cluster.nodes.length, 'node') : 'connecting…');
  text(document.querySelector('#chip span'), words);
  attr(document.getElementById('chip'), 'aria-label', `Cluster: ${words}`);
}
health.addEventListener('change', paintHealth);
paintHealth();

follow((doc) => {
  cluster = doc;
  if (!doc.leader) setHealth('no_leader');
  if (doc.version) text(document.getElementById('version'), `colsum ${doc.version}`);
  paintHealth();
});

addEventListener('hashchange', route);
route(true);
