// corpus: healthy
// what: a server on a unix socket that nobody talks to
// run: node {file}
// needs: node

const server = require("net").createServer(() => {});
server.listen("socket", () => require("fs").writeFileSync("up", ""));
