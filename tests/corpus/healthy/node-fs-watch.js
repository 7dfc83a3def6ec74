// corpus: healthy
// what: a program waits for a change of a directory
// run: node {file}
// needs: node

const { watch, writeFileSync } = require("fs");

watch("/", () => {});
writeFileSync("up", "");
