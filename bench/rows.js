// node rows.js FILE COLLECTION=COUNT ...: multiplies the one row of a table in the storage emulator's own file.
//
// With the emulator's own LokiJS, while the emulator does not run; through its API a hundred thousand rows take many
// minutes, since every insert looks through the partition. The copies differ in their second keys.
"use strict";

const path = require("path");
const Loki = require(path.join(process.cwd(), "node_modules", "lokijs"));

const [file, ...wanted] = process.argv.slice(2);
const db = new Loki(file, { persistenceMethod: "fs" });
db.loadDatabase({}, (error) => {
  if (error) throw error;
  for (const one of wanted) {
    const [name, count] = one.split("=");
    fill(db.getCollection(name), Number(count));
  }
  db.saveDatabase((failed) => {
    if (failed) throw failed;
  });
});

function fill(rows, count) {
  const [{ $loki, meta, ...first }] = rows.data;
  for (let number = rows.data.length; number < count; number++) {
    const RowKey = first.RowKey + String(number).padStart(8, "0");
    rows.insert({ ...first, RowKey, properties: { ...first.properties, RowKey } });
  }
}
