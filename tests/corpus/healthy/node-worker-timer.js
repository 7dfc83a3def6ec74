// corpus: healthy
// what: the main thread waits without limit for a worker that has a timer
// run: node {file}
// needs: node

const { Worker } = require("worker_threads");

const worker = new Worker("setTimeout(() => {}, 1000000)", { eval: true });
worker.on("exit", () => console.log("done"));
require("fs").writeFileSync("up", "");
