// corpus: stuck
// what: a package script, run by npm, waits for itself; Node has one-shot timers ten seconds after its start, so it is quiet only then; npm has more of them
// run: node {file}
// needs: node npm

const { Atomics: atomics } = globalThis;
const { execFileSync } = require("child_process");
const { writeFileSync } = require("fs");

if (process.argv[2] === "script") {
  writeFileSync("up", "");
  atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}
const scripts = { build: `node ${__filename} script` };
writeFileSync("package.json", JSON.stringify({ scripts }));
execFileSync("npm", ["run", "--silent", "--no-update-notifier", "build"]);
