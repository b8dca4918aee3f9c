// The table of sums: one row a summed column, every digit, aligned on the point, sortable, with a search where there are many.

import { attr, h, keyed, text } from './dom.js';
import { compare } from './exact.js';
import { count, plural, visible } from './format.js';

/** So many digits after the point are aligned; longer tails stick out to the right. */
const aligned = 24;

/** Longer numbers are broken into lines. */
const long = 60;

/**
 * decimal returns {el, update(text)}: a decimal with its point at a fixed place (`--tail` digits before the right edge) and
 * its tail quieter. What is selected and copied is the plain number.
 */
export function decimal() {
  const whole = h('span', { class: 'whole' });
  const tail = h('span', { class: 'tail' });
  const el = h('span', { class: 'decimal' }, whole, tail);
  return {
    el,
    update(value) {
      attr(el, 'class', value?.length > long ? 'decimal long' : 'decimal');
      const at = (value ?? '').indexOf('.');
      text(whole, at < 0 ? value ?? '–' : value.slice(0, at));
      text(tail, at < 0 ? '' : value.slice(at));
    },
  };
}

const columns = [
  { id: 'column', label: 'Column', n: true, order: (a, b) => a.column - b.column },
  { id: 'name', label: 'Name', order: (a, b) => (a.name ?? '').localeCompare(b.name ?? '') },
  { id: 'sum', label: 'Sum', n: true, order: (a, b) => compare(a.sum, b.sum) },
  { id: 'mean', label: 'Mean', n: true, order: (a, b) => compare(a.mean ?? '', b.mean ?? '') },
  ...['numeric', 'empty', 'invalid', 'missing'].map((id) => ({ id, label: id[0].toUpperCase() + id.slice(1), n: true, order: (a, b) => a[id] - b[id] })),
];

/** sumsTable returns {el, update(results)}. */
export function sumsTable() {
  let results = [];
  let by = columns[0];
  let up = true;
  const head = columns.map((c) => h('th', { scope: 'col', class: c.n ? 'n' : null, 'aria-sort': c === by ? 'ascending' : null },
    h('button', { type: 'button', onclick: () => sort(c) }, c.label)));
  const body = h('tbody');
  const rows = keyed(body, (r) => r.column, row);
  const box = h('div', { class: 'scroll sums', tabindex: 0, role: 'region', 'aria-label': 'Sums by column' }, h('table', {}, h('thead', {}, h('tr', {}, head)), body));
  const find = h('input', { type: 'search', placeholder: 'Number or name', 'aria-label': 'Find a column by number or name', oninput: paint });
  const shown = h('span', { class: 'small quiet nowrap', role: 'status' });
  const search = h('div', { class: 'row find', hidden: true }, find, shown);
  const el = h('div', {}, search, box);

  function sort(column) {
    up = column === by ? !up : true;
    by = column;
    columns.forEach((c, i) => attr(head[i], 'aria-sort', c === by ? (up ? 'ascending' : 'descending') : null));
    paint();
  }

  function paint() {
    const wanted = find.value.trim().toLowerCase();
    const list = wanted === '' ? [...results] : results.filter((r) => String(r.column) === wanted || (r.name ?? '').toLowerCase().includes(wanted));
    list.sort((a, b) => (up ? by.order(a, b) : by.order(b, a)) || a.column - b.column);
    rows(list);
    text(shown, wanted === '' ? plural(results.length, 'column') : `${count(list.length)} of ${plural(results.length, 'column')}`);
  }

  return {
    el,
    update(now) {
      results = now;
      attr(search, 'hidden', results.length <= 20);
      const tail = (f) => Math.min(aligned, Math.max(0, ...results.map((r) => { const at = (r[f] ?? '').indexOf('.'); return at < 0 ? 0 : r[f].length - at; })));
      box.style.setProperty('--sum-tail', `${tail('sum')}ch`);
      box.style.setProperty('--mean-tail', `${tail('mean')}ch`);
      paint();
    },
  };
}

function row() {
  const column = h('th', { scope: 'row', class: 'n' });
  const name = h('td', { class: 'any name' });
  const sum = decimal();
  const mean = decimal();
  const counts = ['numeric', 'empty', 'invalid', 'missing'].map((id) => ({ id, el: h('td', { class: 'n' }) }));
  return {
    el: h('tr', {}, column, name, h('td', { class: 'n sum' }, sum.el), h('td', { class: 'n mean quiet' }, mean.el), counts.map((c) => c.el)),
    update(r) {
      text(column, String(r.column));
      text(name, r.name === null || r.name === undefined ? '–' : visible(r.name));
      sum.update(r.sum);
      mean.update(r.mean);
      for (const c of counts) {
        text(c.el, count(r[c.id]));
        attr(c.el, 'class', r[c.id] === 0 ? 'n quiet' : c.id === 'invalid' ? 'n hot' : 'n');
      }
    },
  };
}
