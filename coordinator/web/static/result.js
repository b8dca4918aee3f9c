// One work: its progress while it runs, its sums, what was odd, and the document to take away.

import { request, troubles } from './api.js';
import { columnsChart } from './chart.js';
import { ask, attr, copy, h, save, say, show, text } from './dom.js';
import { csv, pretty } from './exact.js';
import { bytes, count, duration, ended, moment, name, plural, sentence, visible } from './format.js';
import { announcer, progress } from './progress.js';
import { decimal, sumsTable } from './sums.js';
import { watch } from './watch.js';

/** resultView fills el and follows the work until it ends or the signal aborts. */
export function resultView(el, signal, id) {
  let doc = null;
  let source = '';

  const title = h('h1', { class: 'any' }, 'Work');
  const status = h('span', { class: 'status', hidden: true });
  const when = h('span', { class: 'quiet small' });
  const cancel = h('button', { class: 'button danger', type: 'button', hidden: true, onclick: stop }, 'Cancel');
  const again = h('a', { class: 'button', hidden: true }, 'Sum again');
  const notes = h('div', { class: 'notes' });
  const bar = progress('Progress of the work');
  const tasks = h('p', { class: 'quiet small' });
  const work = h('section', { class: 'panel', 'aria-label': 'Progress' }, bar.el, tasks);
  const total = decimal();
  const facts = ['Rows', 'Columns summed', 'Bad cells', 'Time'].map((label) => ({ label, value: h('dd') }));
  const totalLabel = h('h2', {}, 'Total');
  const chart = columnsChart();
  const table = sumsTable();
  const tableTitle = h('h2', {}, 'Sums');
  const take = h('div', { class: 'row take' });
  const bad = h('section', { class: 'panel', hidden: true });
  const file = h('section', { class: 'panel', hidden: true });
  const sums = h('div', { class: 'stack', hidden: true },
    h('section', { class: 'panel hero' }, totalLabel, h('p', { class: 'total' }, total.el),
      h('dl', { class: 'facts' }, facts.map((f) => h('div', {}, h('dt', {}, f.label), f.value)))),
    h('section', { class: 'panel' }, chart.el),
    h('section', { class: 'panel stack' }, h('div', { class: 'head' }, tableTitle, take), table.el));

  show(el,
    h('p', { class: 'crumb small' }, h('a', { href: '#/works' }, '← Works')),
    h('div', { class: 'head' },
      h('div', { class: 'grow' }, title, h('p', { class: 'row sub' }, status, h('span', { class: 'mono quiet small any' }, id), when)),
      h('div', { class: 'row' }, cancel, again)),
    notes, h('div', { class: 'stack' }, work, sums, bad, file));
  show(take, takeAway());
  attr(work, 'class', 'panel skeleton-panel');

  const announce = announcer();
  watch(id, {
    signal,
    onDocument(data, raw) {
      doc = data;
      source = raw;
      paint();
      announce(doc);
    },
    onProblem(problem) {
      if (problem.code === 'unknown_work') return gone();
      if (!(problem.code in troubles)) paintNotes(problem);
    },
  });
  return 'Work';

  function gone() {
    show(el, h('p', { class: 'crumb small' }, h('a', { href: '#/works' }, '← Works')),
      h('div', { class: 'empty', role: 'alert' }, h('h1', {}, 'No such work'), h('p', { class: 'any' }, 'Nothing is known of ', h('span', { class: 'mono' }, id), '. Ended works are forgotten after a while.'), h('a', { class: 'button', href: '#/works' }, 'All works')));
  }

  function paint() {
    const running = !ended(doc);
    const away = doc.status === 'running' && doc.progress.storage_unreachable_since;
    text(title, visible(doc.filepath));
    document.title = `${running && doc.status === 'running' ? `${Math.floor((doc.progress.bytes_done / (doc.progress.bytes_total || 1)) * 100)}% ` : ''}${visible(name(doc.filepath))} · colsum`;
    attr(status, 'hidden', null);
    attr(status, 'class', `status ${away ? 'away' : doc.status}`);
    text(status, away ? 'storage away' : doc.status);
    const started = new Date(doc.ctime);
    text(when, moment(started));
    attr(cancel, 'hidden', !running);
    attr(again, 'hidden', running);
    attr(again, 'href', `#/new?file=${encodeURIComponent(doc.filepath)}`);

    attr(work, 'class', 'panel');
    attr(work, 'hidden', doc.status === 'done');
    bar.update(doc);
    const p = doc.progress;
    text(tasks, p.tasks_total > 0 ? `${count(p.tasks_done)} of ${plural(p.tasks_total, 'task')} · ${plural(p.rows, 'row')}` : ' ');

    const planned = doc.file !== null;
    attr(sums, 'hidden', !planned);
    if (planned) {
      const odd = doc.results.reduce((n, r) => n + r.invalid, 0);
      // What is not the sum of the whole file must not look like it.
      const [label, titles] = doc.status === 'done' ? ['Total', 'Sums'] : running ? ['Total so far', 'Sums so far'] : ['Partial total', 'Partial sums'];
      text(totalLabel, label);
      text(tableTitle, titles);
      total.update(doc.total);
      const took = (new Date(doc.mtime) - started) / 1000;
      [count(doc.rows), `${count(doc.results.length)} of ${count(doc.columns_total)}`, count(odd), duration(took)]
        .forEach((value, i) => text(facts[i].value, value));
      attr(facts[2].value, 'class', odd > 0 ? 'hot' : null);
      attr(chart.el.parentNode, 'hidden', doc.results.length < 2);
      chart.update(doc.results);
      table.update(doc.results);
      paintBad(odd);
      paintFile();
    }
    paintNotes(null);
  }

  function paintNotes(problem) {
    const list = [];
    const since = doc?.status === 'running' && doc.progress.storage_unreachable_since;
    if (problem) list.push(['bad', doc ? 'The page lost touch with the work.' : 'The work cannot be shown yet.', sentence(problem.message) + (problem.passing ? ' Trying again.' : '')]);
    if (doc?.error) list.push(['bad', sentence(doc.error.message), `${where(doc.error)}(${doc.error.code})`]);
    if (since) list.push(['warn', 'The storage does not answer.', `It has been away since ${moment(new Date(since))}. The work waits and goes on by itself when it is back.`]);
    if (doc?.status === 'cancelled') list.push(['', 'Cancelled.', 'The sums below hold what had been added up until then.']);
    for (const w of doc?.warnings ?? []) list.push(['warn', '', w]);
    const key = JSON.stringify(list);
    if (notes.key === key) return;
    notes.key = key;
    show(notes, list.map(([kind, strong, words]) => h('p', { class: `note ${kind}`, role: kind === 'bad' ? 'alert' : null }, strong && h('strong', {}, visible(strong)), ' ', visible(words))));
  }

  function paintBad(odd) {
    const cells = doc.bad_cells ?? [];
    attr(bad, 'hidden', cells.length === 0);
    if (bad.size === cells.length || cells.length === 0) return;
    bad.size = cells.length;
    show(bad, h('h2', {}, 'Bad cells'), h('p', { class: 'quiet small' }, odd > cells.length ? `The first ${cells.length} of ${count(odd)} cells that are not decimal numbers.` : 'Cells that are not decimal numbers. They are counted, not summed.'),
      h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Bad cells' }, h('table', { class: 'bad-cells' },
        h('thead', {}, h('tr', {}, ['Column', 'Row', 'Byte'].map((t) => h('th', { scope: 'col', class: 'n' }, t)), h('th', { scope: 'col' }, 'Text'))),
        h('tbody', {}, cells.map((c) => h('tr', {}, [c.column, c.row, c.byte].map((n) => h('td', { class: 'n' }, count(n))), h('td', {}, h('code', { class: 'any' }, visible(c.text)))))))));
  }

  function paintFile() {
    attr(file, 'hidden', null);
    const key = JSON.stringify([doc.file, doc.dialect, doc.digest]);
    if (file.key === key) return;
    file.key = key;
    const d = doc.dialect ?? {};
    const facts = [
      ['Size', `${bytes(doc.file.size)} (${count(doc.file.size)} bytes)`],
      ['Version', visible(doc.file.version)],
      ['Delimiter', words(d.delimiter)], ['Quote', words(d.quote)], ['Decimal point', words(d.decimal)],
      ['Header', d.header ? 'yes' : 'no'], ['Line ends', words(d.newline)],
      d.comment && ['Comments begin with', words(d.comment)], d.bom && ['Byte order mark', 'skipped'],
      doc.digest && ['Digest', doc.digest],
    ].filter(Boolean);
    show(file, h('h2', {}, 'File'), h('dl', { class: 'pairs small' }, facts.map(([k, v]) => [h('dt', {}, k), h('dd', { class: 'any' }, v)])));
  }

  function takeAway() {
    const base = () => name(doc.filepath).replace(/[^\w.-]+/g, '_').replace(/\.csv$/i, '') || 'result';
    const forms = [['JSON', 'application/json', () => pretty(source), 'json'], ['CSV', 'text/csv', () => csv(doc.results), 'csv']];
    return forms.flatMap(([label, type, make, end]) => {
      const button = h('button', {
        class: 'button slim', type: 'button',
        onclick: async () => {
          const done = await copy(make());
          text(button, done ? 'Copied' : 'Not copied');
          say(done ? `${label} copied` : 'The browser refused to copy');
          setTimeout(() => text(button, `Copy ${label}`), 2000);
        },
      }, `Copy ${label}`);
      return [button, h('button', { class: 'button slim', type: 'button', onclick: () => save(`${base()}.sums.${end}`, type, make()) }, `Download ${label}`)];
    });
  }

  async function stop() {
    const sure = await ask({ title: 'Cancel this work?', body: h('p', {}, `${visible(doc.filepath)}: it stops for good. The sums so far stay readable.`), yes: 'Cancel the work', no: 'Keep it running', danger: true });
    if (!sure) return;
    attr(cancel, 'disabled', true);
    try {
      await request(`api/cancel_work/${encodeURIComponent(id)}`, { method: 'POST', body: {}, signal });
    } catch (err) {
      if (!signal.aborted) paintNotes(err);
    }
    attr(cancel, 'disabled', null);
  }
}

// where says the place of an error as far as it is known and its message does not.
function where(error) {
  const said = error.message.replaceAll(',', '').match(/\d+/g) ?? [];
  const parts = [['row', error.row], ['column', error.column], ['byte', error.byte]].filter(([, n]) => n !== undefined && n !== null && !said.includes(String(n)));
  return parts.length ? `At ${parts.map(([k, n]) => `${k} ${count(n)}`).join(', ')}. ` : '';
}

// words names a byte of the dialect.
function words(c) {
  return { ',': 'comma ,', ';': 'semicolon ;', '\t': 'tab', '|': 'bar |', '"': 'double quote "', '': 'none', '.': 'point .', '\n': 'LF', '\r\n': 'CRLF', '\r': 'CR', ' ': 'space' }[c ?? ''] ?? visible(c);
}
