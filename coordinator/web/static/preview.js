// The beginning of a file as the options read it, the summed columns in colour.

import { Problem, request, search } from './api.js';
import { strip } from './chart.js';
import { attr, h, show, text } from './dom.js';
import { bytes, count, plural, sentence, visible } from './format.js';

/** Cells beyond so many columns are not drawn: the strip shows all of them. */
const widest = 400;

/** preview returns {el, show(path, query), clear()}. toggle(column, selected) is called when a column's head is clicked. */
export function preview(signal, toggle) {
  let turn = new AbortController();
  let home = ''; // what the scroll position was set for
  const lines = strip();
  const facts = h('p', { class: 'small quiet any' });
  const warnings = h('div', { class: 'notes' });
  const box = h('div', { class: 'scroll preview', tabindex: 0, role: 'region', 'aria-label': 'The first records' });
  const filled = h('div', { class: 'stack-s', hidden: true }, facts, lines.el, warnings, box);
  const blank = h('div', { class: 'empty small' }, 'Choose a file to see its first records and the columns that will be summed.');
  const el = h('section', { class: 'panel preview-panel', 'aria-labelledby': 'preview-title' },
    h('h2', { id: 'preview-title' }, 'Preview'), blank, filled);

  function clear(message, kind = '') {
    turn.abort();
    attr(filled, 'hidden', true);
    attr(blank, 'hidden', false);
    attr(el, 'aria-busy', null);
    show(blank, message ? h('p', { class: `note ${kind}`, role: 'status' }, message) : 'Choose a file to see its first records and the columns that will be summed.');
  }

  async function load(path, query) {
    turn.abort();
    const mine = turn = new AbortController();
    const stop = () => mine.abort();
    signal.addEventListener('abort', stop, { once: true });
    attr(el, 'aria-busy', 'true');
    try {
      const { data } = await request(`api/preview_file${search({ filepath: path })}${query.map(([k, v]) => `&${new URLSearchParams([[k, v]])}`).join('')}`, { signal: mine.signal, timeout: 30_000 });
      paint(path, data);
    } catch (err) {
      if (mine.signal.aborted) return;
      if (!(err instanceof Problem)) throw err;
      clear(sentence(err.message) + (err.code === 'storage_unavailable' ? ' You can start the sum all the same; the work waits for the storage.' : ''), err.passing ? 'warn' : 'bad');
    } finally {
      signal.removeEventListener('abort', stop);
      if (turn === mine) attr(el, 'aria-busy', null);
    }
  }

  function paint(path, doc) {
    const selected = new Set(doc.selected);
    const shown = Math.min(doc.columns_total, widest);
    attr(blank, 'hidden', true);
    attr(filled, 'hidden', null);
    const rows = doc.estimated_rows > doc.records.length ? `about ${count(doc.estimated_rows)} rows` : plural(doc.records.length, 'row');
    text(facts, `${bytes(doc.size)} · ${plural(doc.columns_total, 'column')} · ${rows} · ${plural(selected.size, 'column')} to sum`);
    lines.update(doc.columns_total, selected);
    show(warnings, (doc.warnings ?? []).map((w) => h('p', { class: 'note warn small' }, visible(w))));

    const mark = (c) => (selected.has(c) ? 'on' : null);
    const numbers = Array.from({ length: shown }, (_, i) => i + 1);
    const head = numbers.map((c) => {
      const name = doc.header?.[c - 1];
      return h('th', { scope: 'col', class: mark(c) }, h('button', {
        type: 'button', 'aria-pressed': String(selected.has(c)), 'data-column': c,
        'aria-label': `${c}${name ? ` ${visible(name)}` : ''}: sum this column`, onclick: () => toggle(c, selected),
      }, h('span', {}, String(c)), ' ', name ? h('b', {}, visible(name)) : null));
    });
    const table = h('table', {}, h('thead', {}, h('tr', {}, head)),
      h('tbody', {}, doc.records.map((record) => h('tr', {}, numbers.map((c) => {
        const cell = record[c - 1];
        return cell === undefined ? h('td', { class: 'missing' }) : h('td', { class: mark(c) }, h('span', {}, visible(cell)));
      })))));
    const left = box.scrollLeft;
    const focused = document.activeElement?.dataset?.column;
    show(box, table, doc.columns_total > shown ? h('p', { class: 'small quiet beyond' }, `${count(doc.columns_total - shown)} more columns are not drawn.`) : null);
    if (focused && el.contains(document.activeElement) === false) box.querySelector(`[data-column="${focused}"]`)?.focus({ preventScroll: true });
    box.scrollLeft = left;
    const seen = (th) => th.offsetLeft >= box.scrollLeft && th.offsetLeft + th.offsetWidth <= box.scrollLeft + box.clientWidth;
    const target = head[Math.min(...selected) - 1];
    const wanted = `${path} ${doc.columns_total}`;
    if (target && (wanted !== home || !head.some((th, i) => selected.has(i + 1) && seen(th)))) {
      box.scrollLeft = Math.max(0, target.offsetLeft + target.offsetWidth - box.clientWidth + 96);
    }
    home = wanted;
  }

  return { el, load, clear };
}
