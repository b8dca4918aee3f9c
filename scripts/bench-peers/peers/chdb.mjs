// usage: node chdb.mjs FILE NAME... : prints one sum a line
import { query } from "chdb";
const [file, ...names] = process.argv.slice(2);
const list = names.map((n) => `sum(\`${n}\`)`).join(", ");
// The schema is given: left to itself it takes a column with a cell like 9.5e-05 for text.
const schema = names.map((n) => `\`${n}\` Nullable(Float64)`).join(", ");
const out = query(`select ${list} from file('${file}', 'CSVWithNames', '${schema}')`, "CSV");
for (const v of String(out).trim().split(",")) console.log(v);
