// Numbers and times as people read them.

const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/** count writes a whole number with separators. */
export const count = (n) => grouped.format(n ?? 0);

/** plural writes a count with its noun. */
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'];

/** bytes writes a size with three digits: 5.84 GB. */
export function bytes(n) {
  let i = 0;
  let v = Math.max(0, n || 0);
  while (v >= 999.5 && i < units.length - 1) {
    v /= 1000;
    i++;
  }
  return `${i === 0 ? Math.round(v) : v.toFixed(v < 9.995 ? 2 : v < 99.95 ? 1 : 0)} ${units[i]}`;
}

/** rate writes bytes a second. */
export const rate = (n) => `${bytes(n)}/s`;

/** duration writes seconds: 0.4 s, 12 s, 3 min 20 s, 2 h 5 min, 3 d 4 h; with whole set, 4 s for 4.2 s. */
export function duration(seconds, whole = false) {
  if (!Number.isFinite(seconds)) return '';
  if (seconds < 9.95 && !whole) return `${Math.max(0, seconds).toFixed(1)} s`;
  const s = Math.round(seconds);
  const parts = s < 60 ? [[s, 's']]
    : s < 3600 ? [[Math.floor(s / 60), 'min'], [s % 60, 's']]
      : s < 86400 ? [[Math.floor(s / 3600), 'h'], [Math.floor(s / 60) % 60, 'min']]
        : [[Math.floor(s / 86400), 'd'], [Math.floor(s / 3600) % 24, 'h']];
  return parts.filter(([n], i) => i === 0 || n > 0).map(([n, u]) => `${n} ${u}`).join(' ');
}

/** ago writes how long ago a moment (Date) was. */
export function ago(then, now = new Date()) {
  const s = (now - then) / 1000;
  if (s < 5) return 'just now';
  if (s < 60) return `${Math.floor(s)} s ago`;
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ago`;
  return then.toLocaleDateString('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });
}

/** moment writes a date and time of day in the reader's zone. */
export const moment = (then) => then.toLocaleString('en-GB', { day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit' });

/** clock writes the time of day. */
export const clock = (then) => then.toLocaleTimeString('en-GB');

/** fraction is how much of a work is done, 0 to 1. */
export function fraction(work) {
  if (work.status === 'done') return 1;
  const p = work.progress ?? {};
  return p.bytes_total > 0 ? Math.min(1, p.bytes_done / p.bytes_total) : 0;
}

/** percent writes a fraction; 100% only when all of it is done. */
export const percent = (f) => `${f >= 1 ? 100 : Math.min(99, Math.floor(f * 100))}%`;

/** left is the estimated time left in seconds, NaN where nothing can be said. */
export function left(work) {
  const p = work.progress ?? {};
  if (work.status !== 'running' || !(p.bytes_per_second > 0) || p.storage_unreachable_since) return NaN;
  return (p.bytes_total - p.bytes_done) / p.bytes_per_second;
}

/** ended: nothing more will happen to a work. */
export const ended = (work) => ['done', 'failed', 'cancelled'].includes(work.status);

/** short writes a drawing's number with few digits. */
export function short(value, shift = 0) {
  if (value === 0) return '0';
  const e = Math.floor(Math.log10(Math.abs(value))) + shift;
  if (e >= 15 || e < -4) return `${trim((value / 10 ** (e - shift)).toFixed(1))}e${e}`;
  const v = value * 10 ** shift;
  for (const [size, unit] of [[1e12, 'T'], [1e9, 'G'], [1e6, 'M'], [1e3, 'k']]) {
    if (Math.abs(v) >= size) return trim((v / size).toFixed(2)) + unit;
  }
  return trim(v.toPrecision(3));
}

const trim = (s) => (s.includes('.') ? s.replace(/\.?0+$/, '') : s);

/** sentence ends a text with a full stop, unless it ends like a sentence already. */
export const sentence = (s) => (/[.!?…]$/.test(s) ? s : `${s}.`);

/** name is the last part of a path, for titles. */
export const name = (path) => String(path).split('/').filter(Boolean).pop() ?? String(path);

/** visible writes characters that cannot be seen (and those that reorder text) as escapes. */
export function visible(s) {
  return String(s).replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, (c) =>
    ({ '\n': '\\n', '\r': '\\r', '\t': '\\t' }[c] ?? `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`));
}
