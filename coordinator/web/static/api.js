// Requests to the node that served the page, and what they tell of the cluster's health.

import { parse } from './exact.js';

/** Problem is an answer that is not a success: the API's problem document, or `unreachable` when there was none. */
export class Problem extends Error {
  constructor({ code = 'internal', status = 0, title = '', detail = '' }, retryAfter = 0) {
    super(detail || title || `HTTP ${status}`);
    this.code = code;
    this.status = status;
    this.retryAfter = retryAfter; // seconds, 0 when the server says nothing
  }

  /** passing: the same request may well succeed a little later. */
  get passing() { return this.status === 0 || this.status === 503 || this.status === 502 || this.status === 429; }
}

/** health is what the last answers say: 'ok', 'no_leader' or 'unreachable'. It sends 'change'. */
export const health = Object.assign(new EventTarget(), { state: 'unknown' });

/** The states that the banner tells of, as title and words. Views need not tell of problems with these codes again. */
export const troubles = {
  no_leader: ['No leader at the moment.', 'The nodes are electing one, which usually takes a second or two. Nothing is lost; the page goes on by itself.'],
  unreachable: ['The server does not answer.', 'What you see is the last that was heard. The page keeps trying and goes on by itself.'],
};

export function setHealth(state) {
  if (health.state === state) return;
  health.state = state;
  health.dispatchEvent(new Event('change'));
}

/**
 * request sends one request. It returns {text, data}: the body, and the body parsed with its decimals as text. timeout is
 * in milliseconds. Errors are Problems; an aborted signal rejects with its reason.
 */
export async function request(path, { method = 'GET', body, headers = {}, signal, timeout = 15_000 } = {}) {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), timeout);
  const stop = () => limit.abort();
  signal?.addEventListener('abort', stop);
  let response;
  let text;
  try {
    signal?.throwIfAborted();
    response = await fetch(path, {
      method,
      cache: 'no-store',
      signal: limit.signal,
      headers: { Accept: 'application/json', ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    text = await response.text();
  } catch {
    signal?.throwIfAborted();
    setHealth('unreachable');
    throw new Problem({ code: 'unreachable', detail: 'The server does not answer.' });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
  }
  if (!response.ok) {
    let problem = {};
    try { problem = JSON.parse(text); } catch { /* a proxy's page: the status says enough */ }
    setHealth(problem.code === 'no_leader' ? 'no_leader' : 'ok');
    throw new Problem({ title: response.statusText, ...problem, status: response.status }, Number(response.headers.get('Retry-After')) || 0);
  }
  setHealth('ok');
  try {
    return { text, data: parse(text) };
  } catch {
    throw new Problem({ code: 'bad_answer', status: response.status, detail: 'The server\'s answer is not JSON.' });
  }
}

/** get is request for the data alone; query members that are null, undefined or '' are left out. */
export async function get(path, query = {}, options = {}) {
  return (await request(path + search(query), options)).data;
}

export function search(query) {
  const given = Object.entries(query).filter(([, v]) => v !== null && v !== undefined && v !== '');
  return given.length ? `?${new URLSearchParams(given)}` : '';
}

/** pause waits; it rejects when the signal aborts. */
export function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = () => { clearTimeout(timer); reject(signal.reason); };
    const timer = setTimeout(() => { signal?.removeEventListener('abort', stop); resolve(); }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}

/**
 * poll calls fn again and again until the signal aborts: after the milliseconds that fn returns, or after a growing pause
 * when it throws a Problem, which is given to failed. Nothing is asked while the page cannot be seen.
 */
export async function poll(fn, signal, failed = () => {}) {
  for (let failures = 0; !signal.aborted;) {
    try {
      let wait;
      try {
        wait = await fn();
        failures = 0;
      } catch (err) {
        if (signal.aborted) return;
        if (!(err instanceof Problem)) throw err;
        failed(err);
        wait = Math.max(err.retryAfter * 1000, Math.min(5000, 500 * 2 ** failures++));
      }
      await pause(wait, signal);
      await seen(signal);
    } catch (err) {
      if (signal.aborted) return;
      throw err;
    }
  }
}

function seen(signal) {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const look = () => {
      if (document.hidden) return;
      document.removeEventListener('visibilitychange', look);
      resolve();
    };
    document.addEventListener('visibilitychange', look);
    signal.addEventListener('abort', () => { document.removeEventListener('visibilitychange', look); reject(signal.reason); }, { once: true });
  });
}

/** key makes an idempotency key. crypto.randomUUID is missing on plain-http pages. */
export function key() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');
}
