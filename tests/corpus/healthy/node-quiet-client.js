// corpus: healthy
// what: a client waits for a server outside that says nothing
// run: node {file}
// needs: node
// outside: node {file} outside

const net = require("net");
const { readFileSync, writeFileSync } = require("fs");

if (process.argv[2] === "outside") {
  const server = net.createServer(() => {});
  server.listen(0, "127.0.0.1", () => {
    writeFileSync("port", String(server.address().port));
    writeFileSync("ready", "");
  });
} else {
  const client = net.connect(Number(readFileSync("port", "utf8")), "127.0.0.1");
  client.on("connect", () => writeFileSync("up", ""));
}
