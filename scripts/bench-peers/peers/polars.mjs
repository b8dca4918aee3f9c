// usage: node polars.mjs FILE NAME... : prints one sum a line
import pl from "nodejs-polars";
const [file, ...names] = process.argv.slice(2);
const frame = await pl.scanCSV(file).select(...names.map((n) => pl.col(n).sum())).collect({ streaming: true });
for (const v of frame.rows()[0]) console.log(String(v));
