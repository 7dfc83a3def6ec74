// corpus: healthy
// what: a program waits for a quiet child
// run: node {file}
// needs: node

const { spawn } = require("child_process");

spawn("sleep", ["1000"]);
require("fs").writeFileSync("up", "");
