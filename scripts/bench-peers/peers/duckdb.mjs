// usage: node duckdb.mjs FILE NAME... : prints one sum a line
import { DuckDBInstance } from "@duckdb/node-api";
const [file, ...names] = process.argv.slice(2);
const db = await (await DuckDBInstance.create(":memory:")).connect();
const list = names.map((n) => `sum("${n}")`).join(", ");
const reader = await db.runAndReadAll(`select ${list} from read_csv('${file}', header = true)`);
for (const v of reader.getRows()[0]) console.log(String(v));
