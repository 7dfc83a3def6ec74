// corpus: stuck
// what: two workers each wait for the other to notify, and the main thread for both; Node has one-shot timers ten seconds after its start, so it is quiet only then
// run: node {file}
// needs: node

const { Worker, isMainThread, workerData } = require("worker_threads");
const { writeFileSync } = require("fs");

if (isMainThread) {
  const shared = new Int32Array(new SharedArrayBuffer(8));
  for (const mine of [0, 1]) new Worker(__filename, { workerData: { shared, mine } });
  writeFileSync("up", "");
} else {
  const { shared, mine } = workerData;
  Atomics.wait(shared, mine, 0);
  Atomics.notify(shared, 1 - mine);
}
