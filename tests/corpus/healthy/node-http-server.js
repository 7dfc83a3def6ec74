// corpus: healthy
// what: an HTTP server that nobody talks to
// run: node {file}
// needs: node

const server = require("http").createServer(() => {});
server.listen(0, "127.0.0.1", () => require("fs").writeFileSync("up", ""));
