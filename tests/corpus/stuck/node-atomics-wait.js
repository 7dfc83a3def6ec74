// corpus: stuck
// what: the main thread and a worker each wait for the other; Node has one-shot timers ten seconds after its start, so it is quiet only then
// run: node {file}
// needs: node

const { Worker, isMainThread, workerData, parentPort } = require("worker_threads");
const { writeFileSync } = require("fs");

if (isMainThread) {
  const shared = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(__filename, { workerData: shared });
  worker.once("message", () => {
    writeFileSync("up", "");
    Atomics.wait(shared, 0, 0);
  });
} else {
  parentPort.once("message", () => Atomics.notify(workerData, 0));
  parentPort.postMessage("ready");
}
