// A new sum: choose a file, see how it is read and which columns are summed, start.

import { Problem, key, pause, request } from './api.js';
import { attr, h, say, show, text } from './dom.js';
import { sentence } from './format.js';
import { options } from './options.js';
import { picker } from './picker.js';
import { preview } from './preview.js';

/** So many times a request that met no leader or no server is sent again, under the same key. */
const tries = 8;

/** scheduleView fills el. query may hold `file`, the path to begin with. */
export function scheduleView(el, signal, query) {
  const notice = h('div', { class: 'notes' });
  const start = h('button', { class: 'button main wide', type: 'submit' }, 'Start the sum');
  const looks = preview(signal, (column, selected) => choice.toggle(column, selected));
  const choice = options(look);
  const files = picker(signal, query.get('file') ?? '', look);
  const form = h('form', { class: 'panel stack', novalidate: true, 'aria-label': 'New sum', onsubmit: submit }, files.el, choice.el, notice, start);
  show(el, h('h1', {}, 'New sum'), h('div', { class: 'columns' }, form, looks.el));

  let timer;
  signal.addEventListener('abort', () => clearTimeout(timer));
  if (files.value) look();
  return 'New sum';

  // look shows the preview of what is chosen, a moment after the last change.
  function look() {
    clearTimeout(timer);
    const fine = choice.check();
    if (!files.value) return looks.clear();
    if (fine) timer = setTimeout(() => looks.load(files.value, choice.query()), 200);
  }

  async function submit(event) {
    event.preventDefault();
    if (!files.value) {
      fail('Choose a file first.');
      return files.focus();
    }
    if (!choice.check()) return;
    attr(start, 'disabled', true);
    text(start, 'Starting…');
    show(notice);
    const sent = { method: 'POST', body: { filepath: files.value, ...choice.body() }, headers: { 'Idempotency-Key': key() }, signal };
    for (let i = 1; ; i++) {
      try {
        const { data } = await request('api/schedule_work', sent);
        say('Accepted');
        location.hash = `#/works/${encodeURIComponent(data.work_id)}`;
        return;
      } catch (err) {
        if (signal.aborted) return;
        if (!(err instanceof Problem)) throw err;
        // The key makes sending again safe: the same request is the same work.
        if (!err.passing || err.status === 429 || i === tries) {
          fail(sentence(err.message));
          break;
        }
        text(start, 'Waiting for the cluster…');
        await pause(Math.max(1000, err.retryAfter * 1000), signal).catch(() => {});
        if (signal.aborted) return;
      }
    }
    attr(start, 'disabled', null);
    text(start, 'Start the sum');
  }

  function fail(message) {
    show(notice, h('p', { class: 'note bad', role: 'alert' }, message));
  }
}
