// Result documents without losing a digit. JSON.parse turns numbers into doubles: 1499832.1234567890123456 would come out
// shortened. So the sums are made strings before parsing, and everything here works on their text.

/** The members whose numbers are decimals of any length; all other numbers are counts that a double holds exactly. */
const decimals = new Set(['"sum"', '"mean"', '"total"']);

// Whole strings are matched as one token, so what a file name or cell says about itself is never taken for a member.
const token = /("[^"\\]*(?:\\.[^"\\]*)*")(\s*:\s*)?(-?\d[\d.eE+-]*)?/g;

/** parse reads JSON; `sum`, `mean` and `total` become strings with the digits as they were sent. */
export function parse(json) {
  return JSON.parse(json.replace(token, (all, name, colon, number) =>
    (colon && number && decimals.has(name) ? `${name}${colon}"${number}"` : all)));
}

/** pretty indents JSON and keeps each number and string as it was written. */
export function pretty(json) {
  let out = '';
  let depth = 0;
  const line = () => '\n' + '  '.repeat(depth);
  const tokens = json.match(/"[^"\\]*(?:\\.[^"\\]*)*"|[^\s"{}[\],:]+|[{}[\],:]/g) ?? [];
  tokens.forEach((t, i) => {
    const next = tokens[i + 1];
    if (t === '{' || t === '[') {
      const closed = next === '}' || next === ']';
      if (!closed) depth++;
      out += closed ? t : t + line();
    } else if (t === '}' || t === ']') {
      const opened = tokens[i - 1] === '{' || tokens[i - 1] === '[';
      if (!opened) depth--;
      out += opened ? t : line() + t;
    } else if (t === ',') out += ',' + line();
    else if (t === ':') out += ': ';
    else out += t;
  });
  return out + '\n';
}

/** csv writes the results as a CSV file, one line a column, every digit. */
export function csv(results) {
  const fields = ['column', 'name', 'sum', 'mean', 'numeric', 'empty', 'invalid', 'missing'];
  const lines = results.map((r) => fields.map((f) => (f === 'name' ? cell(r.name) : r[f] ?? '')).join(','));
  return [fields.join(','), ...lines].join('\r\n') + '\r\n';
}

// cell quotes a text. A name that a spreadsheet would run as a formula gets an apostrophe in front, the usual guard; the
// JSON document has names as they are.
function cell(name) {
  if (name === null || name === undefined) return '';
  const safe = /^[=+\-@\t\r]/.test(name) ? `'${name}` : name;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** compare orders two decimals in plain notation, exactly: negative, 0 or positive. */
export function compare(a, b) {
  const x = split(a);
  const y = split(b);
  if (x.sign !== y.sign) return x.sign - y.sign;
  const size = x.whole.length - y.whole.length || order(x.whole, y.whole) || order(x.fraction, y.fraction);
  return x.sign * size;
}

function order(a, b) {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function split(text) {
  const [, minus, whole, fraction = ''] = /^(-?)0*(\d*)(?:\.(\d*?)0*)?$/.exec(text) ?? [];
  if (whole === undefined) return { sign: 0, whole: '', fraction: '' };
  const zero = whole === '' && fraction === '';
  return { sign: zero ? 0 : minus ? -1 : 1, whole, fraction };
}

/** exponent is the power of ten of a decimal's first digit: 2 for 123.4, -3 for 0.0012; -Infinity for 0. */
export function exponent(text) {
  const { whole, fraction } = split(text);
  if (whole) return whole.length - 1;
  const first = fraction.search(/[1-9]/);
  return first < 0 ? -Infinity : -first - 1;
}

/** near is the double next to a decimal times 10^-shift, for drawing only. */
export function near(text, shift = 0) {
  return Number(`${text}e${-shift}`);
}
