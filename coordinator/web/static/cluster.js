// The cluster: nodes, leader, workers and their slots, and what they read a second.

import { get, poll } from './api.js';
import { timeChart } from './chart.js';
import { attr, h, keyed, show, text } from './dom.js';
import { ago, bytes, count, percent, plural, rate, visible } from './format.js';

const minutes = 10;

/** So many tasks of a worker are shown at most. */
const most = 16;
const listeners = new Set();
const samples = []; // {time, value}: bytes a second of all workers, while the page is open
let latest = null;

/**
 * follow gives each new state of the cluster to fn, for as long as the page lives or until signal aborts. The first call
 * starts asking: every second while the cluster is looked at, every five otherwise.
 */
export function follow(fn, signal) {
  const first = listeners.size === 0;
  listeners.add(fn);
  signal?.addEventListener('abort', () => listeners.delete(fn));
  if (latest) fn(latest);
  if (!first) return wake();
  const tell = (doc) => {
    latest = doc;
    for (const each of [...listeners]) each(doc);
  };
  poll(async () => {
    const doc = await get('api/cluster');
    const now = Date.now();
    samples.push({ time: now, value: doc.workers.reduce((sum, w) => sum + w.bytes_per_second, 0) });
    while (samples[0].time < now - minutes * 60_000) samples.shift();
    tell(doc);
    return wait();
  }, new AbortController().signal, async (problem) => {
    if (problem.code !== 'no_leader') return;
    // Without a leader the node still knows who belongs to the cluster.
    const doc = await get('api/cluster', { consistency: 'stale' }).catch(() => null);
    if (doc && !doc.leader) tell(doc);
  });
}

let wake = () => {};

// wait is how long until the next question. It is cut short when a view begins to follow.
async function wait() {
  const ms = listeners.size > 1 ? 1000 : 5000;
  await new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    wake = () => { clearTimeout(timer); resolve(); };
  });
  return 0;
}

/** clusterView fills el until the signal aborts. */
export function clusterView(el, signal) {
  const speed = h('b', {}, '–');
  const slots = h('b', {}, '–');
  const lead = h('b', { class: 'any' }, '–');
  const term = h('b', {}, '–');
  const log = h('b', {}, '–');
  const chart = timeChart(minutes, 'Bytes read a second by all workers');
  const nodes = h('ul', { class: 'cards' });
  const workers = h('ul', { class: 'workers' });
  const noWorkers = h('p', { class: 'quiet', hidden: true }, 'No worker is connected: works wait until one is. Start one with ', h('code', {}, 'colsum worker'), '.');
  const nodeList = keyed(nodes, (n) => n.id, node);
  const workerList = keyed(workers, (w) => w.id, worker);
  const nodesTitle = h('h2', {}, 'Nodes');
  const workersTitle = h('h2', {}, 'Workers');
  show(el, h('h1', {}, 'Cluster'),
    h('section', { class: 'panel stack-s', 'aria-label': 'Throughput' },
      h('dl', { class: 'facts' }, [['Throughput', speed], ['Slots at work', slots], ['Leader', lead], ['Term', term], ['Log entries', log]].map(([k, v]) => h('div', {}, h('dt', {}, k), h('dd', {}, v)))),
      chart.el),
    h('section', { class: 'panel stack-s' }, nodesTitle, nodes),
    h('section', { class: 'panel stack-s' }, workersTitle, noWorkers, workers));
  show(nodes, Array.from({ length: 3 }, () => h('li', { class: 'card skeleton', 'aria-hidden': 'true' })));
  let loaded = false;

  follow((doc) => {
    if (!loaded) nodes.replaceChildren();
    loaded = true;
    const all = doc.workers.reduce((n, w) => n + w.slots, 0);
    const busy = doc.workers.reduce((n, w) => n + atWork(w), 0);
    text(speed, rate(samples.at(-1)?.value ?? 0));
    text(slots, `${count(busy)} of ${count(all)}`);
    text(lead, doc.leader ? visible(doc.leader) : 'none');
    text(nodesTitle, plural(doc.nodes.length, 'node'));
    chart.update(samples);
    nodeList(doc.nodes);
    if (doc.raft) {
      text(term, count(doc.raft.term));
      text(log, count(doc.raft.commit));
    }
    if (!doc.leader) return; // only a leader knows the workers: what was known stays
    text(workersTitle, plural(doc.workers.length, 'worker'));
    workerList(doc.workers);
    attr(noWorkers, 'hidden', doc.workers.length > 0);
  }, signal);
  return 'Cluster';
}

// atWork is how many slots of a worker are taken. A worker may hold more leases than slots: the next tasks wait at it.
const atWork = (w) => Math.min(w.slots, w.running.length);

function node() {
  const id = h('b', { class: 'any' });
  const role = h('span', { class: 'status' });
  const contact = h('p', { class: 'small quiet' });
  const addresses = ['http', 'raft', 'rpc'].map((kind) => ({ kind, value: h('dd', { class: 'mono any' }) }));
  return {
    el: h('li', { class: 'card' }, h('div', { class: 'head' }, id, role),
      h('dl', { class: 'pairs small' }, addresses.map((a) => [h('dt', {}, a.kind), a.value])), contact),
    update(n) {
      const silent = n.reachable === false;
      text(id, visible(n.id));
      text(role, silent ? 'silent' : n.role);
      attr(role, 'class', `status ${silent ? 'away' : n.role}`);
      for (const a of addresses) text(a.value, n[a.kind] ? visible(n[a.kind]) : '–');
      text(contact, silent ? (n.last_contact ? `last heard ${ago(new Date(n.last_contact))}` : 'does not answer') : n.role === 'leader' ? 'leads the cluster' : n.last_contact ? `heard ${ago(new Date(n.last_contact))}` : 'in touch');
    },
  };
}

function worker() {
  const id = h('b', { class: 'any' });
  const host = h('span', { class: 'quiet small any' });
  const leaving = h('span', { class: 'status queued', hidden: true }, 'leaving');
  const speed = h('span', { class: 'nowrap' });
  const slots = h('div', { class: 'slots', role: 'img' });
  const running = h('ul', { class: 'leases small' });
  const rest = h('p', { class: 'small quiet', hidden: true });
  const tasks = keyed(running, (t) => `${t.work_id}/${t.task}`, task);
  return {
    el: h('li', { class: 'worker' }, h('div', { class: 'worker-head' }, h('div', { class: 'row' }, id, host, leaving), slots, speed), running, rest),
    update(w) {
      text(id, visible(w.id));
      text(host, w.host && w.host !== w.id ? visible(w.host) : '');
      attr(leaving, 'hidden', !w.leaving);
      text(speed, rate(w.bytes_per_second));
      const drawn = Math.min(w.slots, 64);
      while (slots.children.length > drawn) slots.lastChild.remove();
      while (slots.children.length < drawn) slots.append(h('i'));
      [...slots.children].forEach((slot, i) => attr(slot, 'class', i < atWork(w) ? 'busy' : null));
      attr(slots, 'aria-label', `${atWork(w)} of ${plural(w.slots, 'slot')} at work`);
      // The oldest leases are the ones at work.
      const shown = [...w.running].sort((a, b) => (a.since < b.since ? -1 : a.since > b.since ? 1 : a.task - b.task)).slice(0, Math.min(w.slots, most));
      tasks(shown);
      const more = w.running.length - shown.length;
      attr(rest, 'hidden', more === 0);
      text(rest, `and ${plural(more, 'more task')} at this worker`);
    },
  };
}

function task() {
  const link = h('a');
  const fill = h('i');
  const share = h('span', { class: 'quiet nowrap' });
  return {
    el: h('li', {}, link, h('div', { class: 'bar', 'aria-hidden': 'true' }, fill), share),
    update(t) {
      const f = t.length > 0 ? Math.min(1, t.bytes / t.length) : 0;
      attr(link, 'href', `#/works/${encodeURIComponent(t.work_id)}`);
      text(link, `…${t.work_id.slice(-8)} task ${count(t.task)}${t.backup ? ' (backup)' : ''}`);
      fill.style.transform = `scaleX(${f})`;
      text(share, `${percent(f)} of ${bytes(t.length)}`);
    },
  };
}
