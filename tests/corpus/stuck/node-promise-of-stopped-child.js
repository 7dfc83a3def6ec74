// corpus: stuck
// what: a promise that a stopped child would settle; Node has one-shot timers ten seconds after its start, so it is quiet only then
// run: node {file}
// needs: node
// says: stopped

const { execFile } = require("child_process");
const { promisify } = require("util");
const { writeFileSync } = require("fs");

writeFileSync("up", "");
promisify(execFile)("sh", ["-c", "kill -STOP $$; echo done"]).then(console.log);
