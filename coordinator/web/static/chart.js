// Drawings: sums over columns as bars or a line, and a rate over time. They are pictures of what the page also says in
// tables and words; doubles are good enough for them.

import { attr, h, show, svg, text } from './dom.js';
import { exponent, near } from './exact.js';
import { clock, plural, rate, short, visible } from './format.js';

const pad = { left: 56, right: 10, top: 12, bottom: 26 };

// stage is an SVG that is drawn again whenever its width changes. draw(width) returns its elements.
function stage(height, draw) {
  const el = svg('svg', { class: 'chart', height, role: 'img' });
  let width = 0;
  const again = () => {
    if (width < 80) return;
    attr(el, 'viewBox', `0 0 ${width} ${height}`);
    show(el, draw(width));
  };
  new ResizeObserver(([entry]) => {
    const now = Math.round(entry.contentRect.width);
    if (now === width) return;
    width = now;
    again();
  }).observe(el);
  return { el, again };
}

// ticks are round numbers from low to high, about n of them.
function ticks(low, high, n) {
  const raw = (high - low) / n;
  const size = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * size).find((s) => s >= raw * 0.999) ?? raw;
  const list = [];
  for (let v = Math.ceil(low / step) * step; v <= high + step * 1e-9 && list.length < 20; v += step) list.push(Math.abs(v) < step * 1e-9 ? 0 : v);
  return list;
}

// frame draws the lines and labels of the y axis and returns the scale.
function frame(width, height, low, high, label) {
  const inner = height - pad.top - pad.bottom;
  const y = (v) => pad.top + inner * (1 - (v - low) / (high - low));
  const marks = ticks(low, high, 4).map((v) => svg('g', {},
    svg('line', { class: v === 0 ? 'axis' : 'grid', x1: pad.left, x2: width - pad.right, y1: y(v), y2: y(v) }),
    svg('text', { class: 'tick', x: pad.left - 8, y: y(v) + 4, 'text-anchor': 'end' }, label(v))));
  return { y, marks };
}

/**
 * columnsChart returns {el, update(results)}: the sums over the columns, with a line that reads out the column under the
 * pointer or, with the arrow keys, the chosen one.
 */
export function columnsChart() {
  const height = 240;
  let results = [];
  let kind = '';
  let chosen = -1;
  const kinds = [['bars', 'Bars'], ['line', 'Line']].map(([value, label]) =>
    h('button', { type: 'button', value, onclick: () => { kind = value; again(); } }, label));
  const readout = h('p', { class: 'readout small quiet any', 'aria-live': 'polite' });
  const { el: canvas, again } = stage(height, draw);
  attr(canvas, 'tabindex', 0);
  const el = h('figure', {}, h('div', { class: 'head' }, h('h2', {}, 'Sums over the columns'), h('div', { class: 'segments', role: 'group', 'aria-label': 'Draw as' }, kinds)), canvas, readout);

  const place = (i, width) => pad.left + ((width - pad.left - pad.right) * (i + 0.5)) / results.length;
  canvas.addEventListener('pointermove', (e) => {
    const box = canvas.getBoundingClientRect();
    const i = Math.floor(((e.clientX - box.left - pad.left) / (box.width - pad.left - pad.right)) * results.length);
    choose(Math.max(0, Math.min(results.length - 1, i)));
  });
  canvas.addEventListener('pointerleave', () => choose(-1));
  canvas.addEventListener('blur', () => choose(-1));
  canvas.addEventListener('keydown', (e) => {
    const to = { ArrowRight: chosen + 1, ArrowLeft: chosen < 0 ? results.length - 1 : chosen - 1, Home: 0, End: results.length - 1 }[e.key];
    if (to === undefined) return;
    e.preventDefault();
    choose(Math.max(0, Math.min(results.length - 1, to)));
  });

  function choose(i) {
    if (i === chosen) return;
    chosen = i;
    again();
  }

  function draw(width) {
    const mode = kind || (results.length > 60 ? 'line' : 'bars');
    for (const b of kinds) attr(b, 'aria-pressed', String(b.value === mode));
    if (results.length === 0) return [];
    const top = Math.max(...results.map((r) => exponent(r.sum)));
    const shift = Math.abs(top) > 280 && Number.isFinite(top) ? top : 0;
    const values = results.map((r) => near(r.sum, shift));
    let low = Math.min(0, ...values);
    let high = Math.max(0, ...values);
    if (low === high) high = 1;
    const { y, marks } = frame(width, height, low, high, (v) => short(v, shift));
    const step = (width - pad.left - pad.right) / results.length;
    const shapes = [];
    if (mode === 'bars') {
      const w = Math.max(1, Math.min(36, step * 0.64));
      values.forEach((v, i) => shapes.push(svg('rect', {
        class: i === chosen ? 'fill chosen' : 'fill', x: place(i, width) - w / 2, width: w, rx: Math.min(2, w / 3),
        y: Math.min(y(v), y(0)), height: Math.max(1, Math.abs(y(v) - y(0))),
      })));
    } else {
      shapes.push(svg('polyline', { class: 'line', points: values.map((v, i) => `${place(i, width).toFixed(1)},${y(v).toFixed(1)}`).join(' ') }));
      if (results.length <= 60) values.forEach((v, i) => shapes.push(svg('circle', { class: 'fill', cx: place(i, width), cy: y(v), r: 2.5 })));
      if (chosen >= 0) shapes.push(svg('circle', { class: 'fill chosen', cx: place(chosen, width), cy: y(values[chosen]), r: 4 }));
    }
    const every = Math.ceil(results.length / Math.max(1, Math.floor((width - pad.left) / 44)));
    const names = results.map((r, i) => i % every === 0 && svg('text', { class: 'tick', x: place(i, width), y: height - 8, 'text-anchor': 'middle' }, String(r.column))).filter(Boolean);
    const r = results[chosen];
    text(readout, r ? `Column ${r.column}${r.name ? `, ${visible(r.name)}` : ''}: ${r.sum}` : 'Column numbers from left to right. Point at one, or use the arrow keys.');
    return [marks, shapes, names];
  }

  return {
    el,
    update(now) {
      results = now;
      if (chosen >= results.length) chosen = -1;
      attr(canvas, 'aria-label', `Chart of the sums of ${plural(results.length, 'column')}; the table below has them all`);
      again();
    },
  };
}

/** timeChart returns {el, update(samples)}: a rate over the last minutes. samples are {time: ms, value: bytes/s}, oldest first. */
export function timeChart(minutes, label) {
  const height = 180;
  let samples = [];
  const { el, again } = stage(height, (width) => {
    const end = samples.at(-1)?.time ?? 0;
    // The time shown grows from one minute to all of them, so that a page just opened is not an empty frame.
    const span = [1, 2, 5, minutes].find((m) => end - (samples[0]?.time ?? end) <= m * 60_000) ?? minutes;
    const start = end - span * 60_000;
    const seen = samples.filter((s) => s.time >= start);
    const high = Math.max(1e6, ...seen.map((s) => s.value)) * 1.08;
    const { y, marks } = frame(width, height, 0, high, (v) => (v === 0 ? '0' : rate(v).replace('.00', '')));
    const x = (t) => pad.left + 22 + ((width - pad.left - 22 - pad.right) * (t - start)) / (end - start || 1);
    const points = seen.map((s) => `${x(s.time).toFixed(1)},${y(s.value).toFixed(1)}`);
    const shapes = points.length > 1 ? [
      svg('polygon', { class: 'area', points: [`${x(seen[0].time)},${y(0)}`, ...points, `${x(end)},${y(0)}`].join(' ') }),
      svg('polyline', { class: 'line', points: points.join(' ') })] : [];
    const names = [0, 0.5, 1].map((f) => svg('text', {
      class: 'tick', x: x(start + (end - start) * f), y: height - 8, 'text-anchor': ['start', 'middle', 'end'][f * 2],
    }, f === 1 ? 'now' : span * (1 - f) < 1 ? `−${60 * span * (1 - f)} s` : `−${span * (1 - f)} min`));
    return [marks, shapes, names];
  });
  return {
    el,
    update(now) {
      samples = now;
      const last = samples.at(-1);
      attr(el, 'aria-label', last ? `${label}: ${rate(last.value)} at ${clock(new Date(last.time))}` : label);
      again();
    },
  };
}

/** strip draws all columns of a file as ticks, those that are summed in colour: the choice at one glance. */
export function strip() {
  let total = 0;
  let selected = new Set();
  const { el, again } = stage(28, (width) => {
    const step = width / Math.max(1, total);
    const w = Math.max(step > 3 ? step - Math.min(2, step * 0.3) : step, 0.5);
    const marks = [];
    if (total <= 2000) for (let c = 1; c <= total; c++) if (!selected.has(c)) marks.push(svg('rect', { class: 'off', x: (c - 1) * step, y: 11, width: w, height: 17, rx: Math.min(1.5, w / 3) }));
    for (const c of selected) marks.push(svg('rect', { class: 'on', x: (c - 1) * step, y: 2, width: Math.max(w, 1.5), height: 26, rx: Math.min(1.5, w / 3) }));
    return marks;
  });
  attr(el, 'class', 'chart strip');
  return {
    el,
    update(columns, chosen) {
      total = columns;
      selected = chosen;
      attr(el, 'aria-label', `${chosen.size} of ${columns} columns are summed`);
      again();
    },
  };
}
