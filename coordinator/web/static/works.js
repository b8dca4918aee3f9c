// The list of works, newest first, and how many are in progress.

import { get, poll, request, troubles } from './api.js';
import { ask, attr, h, keyed, say, show, text } from './dom.js';
import { ago, count, ended, moment, name, plural, sentence, visible } from './format.js';
import { progress } from './progress.js';

const page = 50;
const states = [['', 'All'], ['queued', 'Queued'], ['running', 'Running'], ['done', 'Done'], ['failed', 'Failed'], ['cancelled', 'Cancelled']];

/** worksView fills el until the signal aborts. */
export function worksView(el, signal) {
  let status = '';
  let shown = page;
  let turn = 0; // rises with each change of what is asked for, so that a late answer is dropped

  const big = h('b', { id: 'in-progress' }, '–');
  const bigLabel = h('span', { class: 'quiet' }, 'works in progress');
  const tasks = h('p', { class: 'quiet small tasks' }, ' ');
  const filters = states.map(([value, label]) => {
    const n = h('b');
    const button = h('button', { type: 'button', 'aria-pressed': String(value === status), onclick: () => choose(value) }, label, ' ', n);
    return { value, n, button };
  });
  const clean = h('button', { class: 'button slim', type: 'button', onclick: forget }, 'Forget ended…');
  const notice = h('div');
  const list = h('ul', { class: 'works', 'aria-label': 'Works' });
  const rows = keyed(list, (w) => w.work_id, row);
  const more = h('button', { class: 'button', type: 'button', hidden: true, onclick: () => { shown += page; again(); } }, 'Show more');

  show(el,
    h('div', { class: 'head' }, h('h1', {}, 'Works'), h('a', { class: 'button main', href: '#/new' }, 'New sum')),
    h('div', { class: 'tally' }, h('p', {}, big, ' ', bigLabel), tasks),
    h('div', { class: 'head filters' }, h('div', { class: 'segments', role: 'group', 'aria-label': 'Show works by status' }, filters.map((f) => f.button)), clean),
    notice, list, h('p', { class: 'more' }, more));
  show(list, Array.from({ length: 3 }, () => h('li', { class: 'work skeleton', 'aria-hidden': 'true' })));
  let loaded = false;
  let wake = () => {};

  poll(load, signal, (problem) => {
    if (problem.code in troubles) return;
    const words = `${sentence(problem.message)} Trying again.`;
    if (notice.textContent.endsWith(words)) return; // an alert is read out each time that it is made
    show(notice, h('p', { class: 'note bad', role: 'alert' }, h('strong', {}, 'The works cannot be shown. '), words));
  });
  return 'Works';

  async function load() {
    const mine = turn;
    const doc = await pages();
    if (mine !== turn || signal.aborted) return 0;
    if (!loaded) list.replaceChildren();
    loaded = true;
    paint(doc);
    await Promise.race([new Promise((resolve) => { wake = resolve; }), after(doc.in_progress > 0 ? 1000 : 4000)]);
    return 0;
  }

  // pages asks for as many works as are shown, a page at a time.
  async function pages() {
    let doc = null;
    for (let after = ''; ;) {
      const part = await get('api/list_works', { status, limit: page, after }, { signal });
      if (doc) doc.works.push(...part.works);
      else doc = part;
      doc.next = part.next;
      if (!part.next || doc.works.length >= shown) return doc;
      after = part.next;
    }
  }

  function after(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      signal.addEventListener('abort', () => { clearTimeout(timer); resolve(); }, { once: true });
    });
  }

  function again() {
    turn++;
    wake();
  }

  function choose(value) {
    status = value;
    shown = page;
    for (const f of filters) attr(f.button, 'aria-pressed', String(f.value === status));
    again();
  }

  function paint(doc) {
    const all = Object.values(doc.counts).reduce((a, b) => a + b, 0);
    text(big, count(doc.in_progress));
    text(bigLabel, doc.in_progress === 1 ? 'work in progress' : 'works in progress');
    text(tasks, doc.in_progress > 0 && doc.tasks ? `Tasks: ${count(doc.tasks.leased)} at workers, ${count(doc.tasks.pending)} waiting, ${count(doc.tasks.done)} done` : ' ');
    for (const f of filters) text(f.n, count(f.value === '' ? all : doc.counts[f.value]));
    attr(clean, 'hidden', doc.counts.done + doc.counts.failed + doc.counts.cancelled === 0);
    attr(more, 'hidden', !doc.next);
    rows(doc.works);
    if (doc.works.length > 0) show(notice);
    else if (all === 0) show(notice, empty('No works yet', 'Choose a file and colsum adds up every tenth column of it, exactly.', true));
    else show(notice, empty(`No ${status} works`, 'Works of other states are there: choose All.', false));
  }

  async function forget() {
    const choice = h('select', { 'aria-label': 'Older than' }, [['1200', '20 minutes'], ['86400', 'a day'], ['604800', 'a week'], ['0', 'now: all of them']].map(([v, l]) => h('option', { value: v }, l)));
    const sure = await ask({ title: 'Forget ended works?', body: h('div', {}, h('p', {}, 'Their results can no longer be read afterwards. Works in progress stay.'), h('label', { class: 'field' }, h('span', {}, 'That ended longer ago than'), choice)), yes: 'Forget them', danger: true });
    if (!sure) return;
    try {
      const { data } = await request('api/clean_works', { method: 'POST', body: { max_age: Number(choice.value) }, signal });
      say(`${plural(data.removed, 'work')} forgotten`);
    } catch (err) {
      if (!signal.aborted) show(notice, h('p', { class: 'note bad', role: 'alert' }, err.message));
    }
    again();
  }
}

function empty(title, words, call) {
  return h('div', { class: 'empty' }, h('h2', {}, title), h('p', {}, words), call && h('a', { class: 'button main', href: '#/new' }, 'Sum a file'));
}

// row is one work of the list.
function row(work) {
  const href = `#/works/${encodeURIComponent(work.work_id)}`;
  const status = h('span', { class: 'status' });
  const when = h('span', { class: 'quiet small nowrap' });
  const bar = progress(`Progress of ${visible(name(work.filepath))}`);
  const error = h('p', { class: 'small error any', hidden: true });
  const el = h('li', { class: 'work' },
    h('div', { class: 'work-file' },
      h('a', { href, class: 'any' }, visible(work.filepath)),
      h('span', { class: 'quiet small mono any' }, work.work_id)),
    h('div', { class: 'work-state' }, status, when),
    h('div', { class: 'work-progress' }, bar.el, error));
  return {
    el,
    update(w) {
      const away = w.status === 'running' && w.progress?.storage_unreachable_since;
      attr(status, 'class', `status ${away ? 'away' : w.status}`);
      text(status, away ? 'storage away' : w.status);
      text(when, ago(new Date(ended(w) ? w.mtime : w.ctime)));
      attr(when, 'title', `accepted ${moment(new Date(w.ctime))}`);
      bar.update(w);
      attr(bar.el, 'hidden', Boolean(w.error));
      attr(error, 'hidden', !w.error);
      text(error, w.error ? visible(w.error.message) : '');
    },
  };
}
