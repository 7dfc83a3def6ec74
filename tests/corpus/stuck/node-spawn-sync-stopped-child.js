// corpus: stuck
// what: a build step runs a child to its end, and the child is stopped
// run: node {file}
// needs: node
// says: stopped

const { execSync } = require("child_process");
const { writeFileSync } = require("fs");

writeFileSync("up", "");
execSync("kill -STOP $$");
