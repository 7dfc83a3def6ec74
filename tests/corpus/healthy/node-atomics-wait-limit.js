// corpus: healthy
// what: a worker sleeps by Atomics.wait with a limit
// run: node {file}
// needs: node

require("fs").writeFileSync("up", "");
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000000);
