// corpus: stuck
// what: a child fills its output, which nobody reads, and the program awaits its exit; Node has one-shot timers ten seconds after its start, so it is quiet only then
// run: node {file}
// needs: node

const { spawn } = require("child_process");
const { writeFileSync } = require("fs");

const child = spawn("yes", { stdio: ["ignore", "pipe", "inherit"] });
new Promise((resolve) => child.on("exit", resolve)).then(() => console.log("done"));
writeFileSync("up", "");
