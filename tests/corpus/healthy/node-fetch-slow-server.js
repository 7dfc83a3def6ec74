// corpus: healthy
// what: a download from a server outside that does not answer
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
  writeFileSync("up", "");
  fetch(`http://127.0.0.1:${readFileSync("port", "utf8")}/`).then(console.log);
}
