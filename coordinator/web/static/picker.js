// Choosing a file: a field that takes any path, and below it the storage's files that begin with what was typed.

import { Problem, get } from './api.js';
import { attr, h, show, text } from './dom.js';
import { ago, bytes, plural, sentence, visible } from './format.js';

const page = 100;

/** picker returns {el, value, focus()}. changed(path) is called when the path changes. initial is the first path. */
export function picker(signal, initial, changed) {
  let turn = 0;
  let timer;
  const input = h('input', {
    id: 'filepath', name: 'filepath', required: true, autocomplete: 'off', spellcheck: 'false', autocapitalize: 'off',
    placeholder: 'Type a path, or choose below', 'aria-describedby': 'filepath-hint', value: initial,
    oninput: () => {
      mark();
      clearTimeout(timer);
      timer = setTimeout(() => { load(input.value.trim()); changed(input.value.trim()); }, 250);
    },
  });
  const list = h('ul', { class: 'files', 'aria-label': 'Files in the storage', 'aria-busy': 'true' });
  const note = h('p', { class: 'small quiet files-note', role: 'status' }, 'Loading the files…');
  const el = h('div', { class: 'field' },
    h('label', { for: 'filepath' }, 'File'), input,
    h('p', { class: 'small quiet', id: 'filepath-hint' }, 'As the storage lists it, or in full: s3://bucket/key'),
    list, note);
  show(list, Array.from({ length: 4 }, () => h('li', { class: 'skeleton', 'aria-hidden': 'true' })));
  load('');

  // load shows the files below a prefix; with `after`, more of them.
  async function load(prefix, after = '') {
    const mine = ++turn;
    attr(list, 'aria-busy', 'true');
    try {
      const doc = await get('api/list_files', { prefix, limit: page, after }, { signal });
      if (mine !== turn) return;
      if (!after) list.replaceChildren();
      list.querySelector('.more')?.remove();
      list.append(...doc.files.map(entry));
      if (doc.next) list.append(h('li', { class: 'more' }, h('button', { class: 'button slim', type: 'button', onclick: () => load(prefix, doc.next) }, 'More files')));
      const n = list.querySelectorAll('label').length;
      text(note, n ? `${plural(n, 'file')}${doc.next ? ' and more' : ''}${prefix ? ` beginning with “${visible(prefix)}”` : ''}`
        : prefix ? `No files begin with “${visible(prefix)}”.` : 'The storage has no files yet.');
      mark();
    } catch (err) {
      if (signal.aborted || mine !== turn) return;
      if (!(err instanceof Problem)) throw err;
      list.replaceChildren();
      show(note, h('span', { class: 'note warn' }, `${sentence(err.message)} `, err.code === 'storage_unavailable' ? 'You can type a path all the same: the work waits for the storage.' : '', h('br'),
        h('button', { class: 'button slim', type: 'button', onclick: () => load(prefix) }, 'Try again')));
    }
    attr(list, 'aria-busy', 'false');
  }

  function entry(file) {
    const radio = h('input', { type: 'radio', name: 'file', value: file.path, onchange: () => { input.value = file.path; clearTimeout(timer); changed(file.path); } });
    return h('li', {}, h('label', {}, radio, h('span', { class: 'any' }, visible(file.path),
      h('span', { class: 'small quiet' }, `${bytes(file.size)} · ${ago(new Date(file.time * 1000))}`))));
  }

  // mark checks the file that the field names.
  function mark() {
    for (const radio of list.querySelectorAll('input')) radio.checked = radio.value === input.value;
  }

  return {
    el,
    get value() { return input.value.trim(); },
    focus() { input.focus(); },
  };
}
