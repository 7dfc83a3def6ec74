// corpus: stuck
// what: a program waits for a child that waits for the end of an input which the program keeps open; Node has one-shot timers ten seconds after its start, so it is quiet only then
// run: node {file}
// needs: node

const { spawn } = require("child_process");
const { writeFileSync } = require("fs");

const child = spawn("cat", { stdio: ["pipe", "pipe", "inherit"] });
child.stdout.resume();
child.on("exit", () => console.log("done"));
writeFileSync("up", "");
