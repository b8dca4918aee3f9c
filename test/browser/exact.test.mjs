// The modules that need no browser: exact numbers, formats, the list of columns.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as exact from '../../coordinator/web/static/exact.js';
import * as format from '../../coordinator/web/static/format.js';
import { columnList } from '../../coordinator/web/static/options.js';

const long = `${'9'.repeat(400)}.${'1234567890'.repeat(30)}7`;

test('parse keeps every digit of sums, means and totals, and nothing else changes', () => {
  const json = `{"total":-${long},"results":[{"column":10,"sum" : 1499832.1234567890123456,"mean":null,"numeric":3000000}],"rows":3,
    "text":"\\"sum\\":12.50","name":"sum","x":["sum",1.50],"sum":0}`;
  assert.deepEqual(exact.parse(json), {
    total: `-${long}`, results: [{ column: 10, sum: '1499832.1234567890123456', mean: null, numeric: 3000000 }], rows: 3,
    text: '"sum":12.50', name: 'sum', x: ['sum', 1.5], sum: '0',
  });
});

test('parse takes a very long string without running out of stack', () => {
  const text = 'a\\"'.repeat(1_000_000);
  assert.equal(exact.parse(`{"text":"${text}","sum":1.10}`).sum, '1.10');
});

test('pretty changes white space only', () => {
  const json = `{"a":[],"b":{},"c":[1.10,-2e5,{"d":"x\\": [1,2]{}"}],"e":${long},"f":null}`;
  const out = exact.pretty(json);
  assert.ok(out.includes(`"e": ${long}`));
  assert.ok(out.includes('"c": [\n    1.10,\n    -2e5,'));
  assert.deepEqual(JSON.parse(out), JSON.parse(json));
  assert.equal(out.replace(/\s/g, ''), json.replace(/\s/g, ''));
});

test('csv quotes what must be and guards names that a spreadsheet would run', () => {
  const row = (column, name, sum) => ({ column, name, sum, mean: null, numeric: 1, empty: 2, invalid: 3, missing: 4 });
  assert.equal(exact.csv([row(1, 'a "b", c', `-${long}`), row(2, null, '0'), row(3, '=1+1', '1'), row(4, 'x\ny', '1')]),
    `column,name,sum,mean,numeric,empty,invalid,missing\r\n1,"a ""b"", c",-${long},,1,2,3,4\r\n2,,0,,1,2,3,4\r\n3,'=1+1,1,,1,2,3,4\r\n4,"x\ny",1,,1,2,3,4\r\n`);
});

test('compare orders decimals exactly', () => {
  const ordered = ['-100', '-99.5', '-0.001', '0', '0.0000000000000000001', '0.1', '0.10000000000000000001', '9', '10', '10.5', '123456789012345678901234567890', '123456789012345678901234567890.1'];
  for (let i = 0; i < ordered.length; i++) {
    for (let j = 0; j < ordered.length; j++) assert.equal(Math.sign(exact.compare(ordered[i], ordered[j])) + 0, Math.sign(i - j), `${ordered[i]} and ${ordered[j]}`);
  }
  assert.equal(exact.compare('1.50', '1.5'), 0);
});

test('exponent and near bring any decimal into a drawing', () => {
  assert.deepEqual(['0', '0.00', '5', '-123.4', '0.0012', `1${'0'.repeat(1000)}`].map(exact.exponent), [-Infinity, -Infinity, 0, 2, -3, 1000]);
  assert.equal(exact.near(`25${'0'.repeat(999)}`, 1000), 2.5);
  assert.equal(exact.near('-12.5'), -12.5);
});

test('formats', () => {
  assert.deepEqual([0, 912, 999.6, 5_843_210_987, 999_999, 1.2e12].map(format.bytes), ['0 B', '912 B', '1.00 kB', '5.84 GB', '1.00 MB', '1.20 TB']);
  assert.deepEqual([0.44, 9.96, 59.7, 200, 3600, 7500, 90_000].map((s) => format.duration(s)), ['0.4 s', '10 s', '1 min', '3 min 20 s', '1 h', '2 h 5 min', '1 d 1 h']);
  assert.deepEqual([0, 0.999, 1].map(format.percent), ['0%', '99%', '100%']);
  assert.equal(format.visible('a\u202eb\nc\u0000<'), 'a\\u202eb\\nc\\u0000<');
  assert.deepEqual([0, 1500, -2.5e6, 0.25, 3e17, 1e-7].map((v) => format.short(v)), ['0', '1.5k', '-2.5M', '0.25', '3e17', '1e-7']);
  assert.equal(format.short(2.5, 900), '2.5e900');
});

test('a list of columns is read as the command line reads it', () => {
  assert.deepEqual(columnList('3, price,"with, comma","a ""b"""'), [3, 'price', 'with, comma', 'a "b"']);
  for (const bad of ['', '3,,4', '0', '-1', '"open', 'a"b', '3,']) assert.throws(() => columnList(bad), Error, bad);
});
