// corpus: healthy
// what: a program waits for USR2, with a channel that keeps it alive
// run: node {file}
// needs: node

const { spawn } = require("child_process");

process.on("SIGUSR2", () => process.exit());
spawn("cat", { stdio: ["pipe", "ignore", "inherit"] });
require("fs").writeFileSync("up", "");
