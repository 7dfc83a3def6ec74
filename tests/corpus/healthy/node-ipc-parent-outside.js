// corpus: healthy
// what: a worker of a cluster whose master is outside waits for a message
// run: node {file}
// needs: node
// outside: node {file} outside

const { spawn } = require("child_process");
const net = require("net");
const { writeFileSync } = require("fs");

if (process.argv[2] === "outside") {
  net.createServer(() => {}).listen("master", () => writeFileSync("ready", ""));
} else {
  net.connect("master", () => writeFileSync("up", ""));
}
