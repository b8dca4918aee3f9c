// How far a work is: a bar, and a line with what is done, the speed and the time left. Used by the list and the work's own
// view.

import { attr, h, say, text } from './dom.js';
import { bytes, count, duration, fraction, left, name, percent, plural, rate } from './format.js';

/** progress returns {el, update(work)}. label is the bar's name for screen readers. */
export function progress(label) {
  const fill = h('i');
  const bar = h('div', { class: 'bar', role: 'progressbar', 'aria-label': label, 'aria-valuemin': 0, 'aria-valuemax': 100 }, fill);
  const share = h('b', { class: 'share' });
  const amount = h('span');
  const speed = h('span');
  const rest = h('span');
  const measured = meter();
  const el = h('div', { class: 'progress' }, bar, h('p', { class: 'progress-line small quiet' }, share, amount, speed, rest));
  return {
    el,
    update(given) {
      const work = measured(given);
      const p = work.progress ?? {};
      const f = fraction(work);
      const away = work.status === 'running' && p.storage_unreachable_since;
      attr(bar, 'class', `bar ${away ? 'away' : work.status}`);
      attr(bar, 'aria-valuenow', Math.floor(f * 100));
      attr(bar, 'aria-valuetext', `${percent(f)}, ${work.status}`);
      fill.style.transform = `scaleX(${f})`;
      text(share, work.status === 'queued' ? '' : percent(f));
      text(amount, describe(work, p));
      text(speed, work.status === 'running' && !away && p.bytes_per_second > 0 ? rate(p.bytes_per_second) : '');
      const seconds = left(work);
      text(rest, away ? 'storage does not answer' : Number.isFinite(seconds) ? `about ${duration(Math.max(1, seconds), true)} left` : '');
    },
  };
}

// meter returns a function that gives a work with a speed: the server's own where it says one (lists do not), else what was
// seen from call to call, smoothed.
function meter() {
  let last = null; // {time, bytes}
  let speed = 0;
  return (work) => {
    const p = work.progress ?? {};
    if (work.status !== 'running' || p.bytes_per_second > 0) return work;
    const now = { time: performance.now() / 1000, bytes: p.bytes_done };
    if (!last || now.bytes < last.bytes) {
      last = now;
      speed = 0;
    } else if (now.time - last.time > 0.5) {
      const current = (now.bytes - last.bytes) / (now.time - last.time);
      speed = speed === 0 ? current : speed * 0.7 + current * 0.3;
      last = now;
    }
    return { ...work, progress: { ...p, bytes_per_second: speed } };
  };
}

function describe(work, p) {
  if (work.status === 'queued') return 'waiting to be planned';
  if (work.status === 'done') return `${bytes(p.bytes_total)} · ${plural(p.rows, 'row')}`;
  return p.bytes_total > 0 ? `${bytes(p.bytes_done)} of ${bytes(p.bytes_total)}` : '';
}

/**
 * announcer tells screen readers of a work's milestones: each change of status, and while it runs each quarter. Returns a
 * function to call with each document.
 */
export function announcer() {
  let status = null;
  let quarter = 0;
  return (work) => {
    const q = Math.floor(fraction(work) * 4);
    if (status !== null && work.status !== status) {
      say({ done: `Done: ${name(work.filepath)}, ${count(work.rows)} rows`, failed: `Failed: ${work.error?.message ?? ''}`, cancelled: 'Cancelled', running: 'Running' }[work.status] ?? work.status);
    } else if (work.status === 'running' && status !== null && q > quarter) {
      say(`${q * 25}% done`);
    }
    status = work.status;
    quarter = q;
  };
}
