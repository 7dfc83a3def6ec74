// corpus: healthy
// what: a program waits for USR1, with a handler of its own in place of the inspector
// limit: Node has a handler for USR1 of its own, from which the program's cannot be told
// run: node {file}
// needs: node

const { spawn } = require("child_process");

process.on("SIGUSR1", () => process.exit());
spawn("cat", { stdio: ["pipe", "ignore", "inherit"] });
require("fs").writeFileSync("up", "");
