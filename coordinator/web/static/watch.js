// Following one work to its end, whatever happens to the nodes in between.

import { Problem, pause, request, setHealth } from './api.js';
import { parse } from './exact.js';
import { ended } from './format.js';

/** A stream without an event for so long is looked at: the connection may be dead without having broken. */
const quiet = 20_000;

/** Between two documents that are read from a stream lie so many milliseconds. */
const gap = 150;

/** A hidden page asks so seldom. */
const seldom = 3000;

/**
 * watch gives each new state of a work to onDocument(data, text) until the work ends or the signal aborts. It listens to
 * server-sent events, asks for the document where the stream broke, and where streams do not get through at all (some
 * proxies hold them back) or while the page is hidden (a browser has six connections to a server, for all of its tabs, and a
 * stream would keep one) asks again and again. A Problem in between goes to onProblem; for one that will not pass (an
 * unknown work) watch returns after it.
 */
export async function watch(id, { signal, onDocument, onProblem }) {
  const path = `api/watch_work/${encodeURIComponent(id)}`;
  let refused = 0; // streams in a row that gave nothing
  let failures = 0;
  let asked = 0;
  while (!signal.aborted) {
    try {
      if (refused < 2 && !document.hidden) {
        const got = await stream(path, signal, (data, text) => { failures = 0; onDocument(data, text); });
        if (got.ended) return;
        if (!document.hidden) refused = got.events ? 0 : refused + 1;
      }
      const wait = refused < 2 || document.hidden ? '' : '?wait=2s';
      const { data, text } = await request(`api/get_result/${encodeURIComponent(id)}${wait}`, { signal });
      failures = 0;
      onDocument(data, text);
      if (ended(data)) return;
      if (refused >= 2 && ++asked % 10 === 0) refused = 0; // streams may work again
      await pause(document.hidden ? seldom : 300, signal);
    } catch (err) {
      if (signal.aborted) return;
      if (!(err instanceof Problem)) throw err;
      onProblem(err);
      if (!err.passing) return;
      refused = 0;
      await pause(Math.max(err.retryAfter * 1000, Math.min(4000, 250 * 2 ** failures++)), signal).catch(() => {});
    }
  }
}

// stream listens until the stream ends, breaks, falls silent or is aborted, or the page is hidden. The browser's own
// reconnecting is not used: it gives up for good at the first 503. Many small tasks make many events; only the newest is read
// every `gap`, since parsing and painting a wide document takes its time.
function stream(path, signal, onDocument) {
  return new Promise((resolve) => {
    const source = new EventSource(path);
    const got = { events: 0, ended: false };
    let latest = null; // an event not yet read
    let silence;
    let next = null;
    const stop = () => {
      clearTimeout(silence);
      clearTimeout(next);
      source.close();
      signal.removeEventListener('abort', stop);
      document.removeEventListener('visibilitychange', hide);
      resolve(got);
    };
    const hide = () => { if (document.hidden) stop(); };
    const arm = () => {
      clearTimeout(silence);
      silence = setTimeout(stop, quiet);
    };
    const read = () => {
      const text = latest;
      latest = null;
      next = text === null ? null : setTimeout(read, gap);
      if (text === null) return;
      const data = parse(text);
      onDocument(data, text);
      if (ended(data)) {
        got.ended = true;
        stop();
      }
    };
    const take = (event) => {
      arm();
      got.events++;
      setHealth('ok');
      latest = event.data;
      if (event.type === 'end') clearTimeout(next);
      if (event.type === 'end' || next === null) read();
    };
    source.addEventListener('work', take);
    source.addEventListener('end', take);
    source.addEventListener('error', stop);
    signal.addEventListener('abort', stop);
    document.addEventListener('visibilitychange', hide);
    arm();
  });
}
