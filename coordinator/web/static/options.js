// The options of a sum: which columns, and how the file is to be read.

import { attr, h, text } from './dom.js';

/**
 * columnList reads a list of columns as the command line takes it: 3,price,"with, comma". It returns numbers and names;
 * an error says what is wrong.
 */
export function columnList(line) {
  const list = [];
  for (let rest = line; ;) {
    const quoted = /^\s*"((?:[^"]|"")*)"\s*(,|$)/.exec(rest);
    const match = quoted ?? /^([^,"]*)(,|$)/.exec(rest);
    if (!match) throw new Error('A quote in the list is not closed, or stands within a name.');
    const field = quoted ? match[1].replaceAll('""', '"') : match[1];
    if (/^\s*[+-]?\d+\s*$/.test(field)) {
      if (!(Number(field) >= 1)) throw new Error(`Column numbers begin at 1, got ${field.trim()}.`);
      list.push(Number(field));
    } else if (field.trim() === '') throw new Error('The list has an empty place.');
    else list.push(quoted ? field : field.trim());
    if (match[2] === '') return list;
    rest = rest.slice(match[0].length);
  }
}

/** line writes such a list. */
const line = (list) => list.map((c) => (typeof c === 'string' && /[",]/.test(c) ? `"${c.replaceAll('"', '""')}"` : c)).join(', ');

/** options returns {el, body(), query(), columns(), toggle(column, selected)}; changed() is called on each change. */
export function options(changed) {
  const fields = {};
  const field = (id, label, control, hint) => {
    fields[id] = control;
    attr(control, 'id', id);
    attr(control, 'name', id);
    if (hint) attr(control, 'aria-describedby', `${id}-hint`);
    return h('div', { class: 'field' }, h('label', { for: id }, label), control, hint && h('p', { class: 'small quiet', id: `${id}-hint` }, hint));
  };
  const select = (...choices) => h('select', { onchange: changed }, choices.map(([value, label]) => h('option', { value }, label)));
  const number = (value, min) => h('input', { type: 'number', min, step: 1, value, inputmode: 'numeric', oninput: changed });
  const byte = (props) => h('input', { maxlength: 1, autocomplete: 'off', spellcheck: 'false', oninput: changed, ...props });
  const radio = (name, value, label, checked) => h('label', { class: 'choice' }, h('input', { type: 'radio', name, value, checked, onchange: () => { paint(); changed(); } }), label);

  const step = h('div', { class: 'pair' },
    field('every', 'Every', number(10, 1), '10: every tenth column'),
    field('first', 'Starting at column', h('input', { type: 'number', min: 1, step: 1, placeholder: '10', inputmode: 'numeric', oninput: changed }), 'The same, unless given'));
  const named = field('columns', 'Columns', h('input', { placeholder: '3, price, 12', autocomplete: 'off', spellcheck: 'false', oninput: changed }), 'Numbers and header names; a name with a comma in double quotes. Or click on the preview.');
  const error = h('p', { class: 'note bad small', role: 'alert', hidden: true });

  const el = h('div', { class: 'stack options' },
    h('fieldset', { class: 'stack-s' }, h('legend', {}, 'Columns to sum'),
      h('div', { class: 'row' }, radio('choice', 'step', 'In steps', true), radio('choice', 'list', 'Only these')),
      step, named, error),
    h('details', {}, h('summary', {}, 'How to read the file'),
      h('div', { class: 'pair' },
        field('header', 'Header', select(['auto', 'Find out'], ['yes', 'First record is a header'], ['no', 'No header'])),
        field('delimiter', 'Delimiter', select(['auto', 'Find out'], [',', 'Comma ,'], [';', 'Semicolon ;'], ['\t', 'Tab'], ['|', 'Bar |'], ['other', 'Another…'])),
        field('delimiter-other', 'Delimiter byte', byte({ placeholder: ':' })),
        field('quote', 'Quote', select(['"', 'Double quote "'], ["'", "Single quote '"], ['', 'None'])),
        field('decimal', 'Decimal point', select(['.', 'Point 1234.5'], [',', 'Comma 1234,5'])),
        field('comment', 'Comment', byte({ placeholder: 'none' }), 'Lines that begin with this byte are skipped'),
        field('chunk', 'Task size, MiB', h('input', { type: 'number', min: 0, step: 'any', placeholder: 'automatic', inputmode: 'decimal', oninput: changed })))),
    h('fieldset', { class: 'stack-s' }, h('legend', {}, 'A cell that is not a number'),
      h('label', { class: 'choice' }, h('input', { type: 'radio', name: 'invalid', value: 'report', checked: true }), 'is counted and reported; the sum goes on'),
      h('label', { class: 'choice' }, h('input', { type: 'radio', name: 'invalid', value: 'fail' }), 'fails the work')));

  const picked = (name) => el.querySelector(`input[name=${name}]:checked`).value;

  function paint() {
    attr(step, 'hidden', picked('choice') !== 'step');
    attr(named, 'hidden', picked('choice') !== 'list');
    attr(fields['delimiter-other'].parentNode, 'hidden', fields.delimiter.value !== 'other');
    fields.first.placeholder = fields.every.value;
  }
  el.addEventListener('change', paint);
  el.addEventListener('input', paint);
  paint();

  // columns reads the choice: {every, first} or a list; errors say what is wrong.
  function columns() {
    if (picked('choice') === 'list') return columnList(fields.columns.value);
    const whole = (id, label) => {
      const n = Number(fields[id].value);
      if (!Number.isInteger(n) || n < 1) throw new Error(`${label}: must be a whole number of at least 1.`);
      return n;
    };
    const out = { every: whole('every', 'Every') };
    if (fields.first.value !== '') out.first = whole('first', 'Starting at column');
    return out;
  }

  const delimiter = () => (fields.delimiter.value === 'other' ? fields['delimiter-other'].value || 'auto' : fields.delimiter.value);

  return {
    el,
    /** check shows what is wrong with the columns, if anything, and returns whether all is well. */
    check() {
      let wrong = '';
      try { columns(); } catch (err) { wrong = err.message; }
      text(error, wrong);
      attr(error, 'hidden', wrong === '');
      attr(fields.columns, 'aria-invalid', wrong !== '' && picked('choice') === 'list' ? 'true' : null);
      return wrong === '';
    },
    /** body is what schedule_work takes, the defaults left out. */
    body() {
      const out = { columns: columns() };
      for (const [id, usual] of [['header', 'auto'], ['quote', '"'], ['decimal', '.'], ['comment', '']]) {
        if (fields[id].value !== usual) out[id] = fields[id].value;
      }
      if (delimiter() !== 'auto') out.delimiter = delimiter();
      if (picked('invalid') !== 'report') out.invalid = picked('invalid');
      const chunk = Math.round(Number(fields.chunk.value) * 1048576);
      if (chunk > 0) out.chunk_bytes = chunk;
      return out;
    },
    /** query is what preview_file takes; [name, value] pairs. */
    query() {
      const { columns: c, chunk_bytes, invalid, ...rest } = this.body();
      const which = Array.isArray(c) ? { columns: fields.columns.value } : c;
      return Object.entries({ ...which, ...rest });
    },
    /** toggle takes a column in or out; selected are the numbers chosen now. It turns a step into a list. */
    toggle(column, selected) {
      const now = new Set(selected);
      if (!now.delete(column)) now.add(column);
      el.querySelector('input[name=choice][value=list]').checked = true;
      fields.columns.value = line([...now].sort((a, b) => a - b));
      paint();
      changed();
    },
  };
}
